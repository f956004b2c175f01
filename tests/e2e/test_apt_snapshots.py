"""A release and its indexes reach apt as one state of the repository, whatever the mirror does meanwhile."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from tests.e2e.conftest import MakeAptLab
from tests.e2e.lab.apt_host import Apt, Form
from tests.e2e.lab.apt_lab import AptLab, assert_good, assert_whole, packages
from tests.e2e.lab.apt_repository import Suite

# Milliseconds: so long that release and index are asked for at moments that an update of the mirror can come between.
RTT = 40
# Seconds that an update of the lists takes at most on an idle machine, as long as which the mirror may wait before it changes.
UPDATE = 0.5


def state(revision: int, how: str) -> Suite:
    """Returns a state of the suite; the indexes of one after the other have different sizes."""
    debs = packages(1 + revision % 7, f"1.{revision}-1", 24_000)
    return Suite("stable", debs, revision=revision, by_hash=how == "by-hash", detached=how == "Release.gpg")


def changing(lab: AptLab, suite: Suite, chance: random.Random) -> threading.Thread:
    """Returns a thread that brings the mirror to the next state at a random moment, in the order in which this mirror happens to do so."""
    writes: list[Callable[[Suite], None]] = [lab.debian.write_indexes, lab.debian.write_release]
    chance.shuffle(writes)
    pauses = [chance.uniform(0, UPDATE), chance.uniform(0, UPDATE / 4)]

    def change(steps: Sequence[tuple[float, Callable[[Suite], None]]] = tuple(zip(pauses, writes, strict=True))) -> None:
        for pause, write in steps:
            time.sleep(pause)
            write(suite)

    return threading.Thread(target=change)


def assert_pair(apt: Apt) -> None:
    """Asserts that the lists of apt are those that its release names."""
    releases, lists = apt.lists("InRelease") + apt.lists("_Release"), apt.lists("_Packages")
    assert len(releases) == len(lists) == 1
    assert hashlib.sha256(lists[0].read_bytes()).hexdigest() in releases[0].read_text()


@pytest.mark.parametrize(
    ("rounds", "how"),
    [
        (100, "by-name"),
        (20, "by-hash"),
        pytest.param(100, "by-hash", marks=pytest.mark.long),
        pytest.param(100, "Release.gpg", marks=pytest.mark.long),
    ],
)
def test_updated_at_random_moments(make_apt_lab: MakeAptLab, rounds: int, how: str) -> None:
    """A mirror that is updated while apt updates never has apt see files of two states."""
    lab = make_apt_lab(rtt_ms=RTT)
    apt = lab.hosts[0]
    lab.debian.publish(state(0, how))
    apt.use(Form.AUTO)
    apt.sources()
    daemon = apt.start()
    apt.update()
    chance = random.Random(15)
    for revision in range(1, 1 + rounds):
        suite = state(revision, how)
        lab.debian.write_pool(suite)
        mirror = changing(lab, suite, chance)
        mirror.start()
        done = apt.run("update", check=False)
        mirror.join()
        assert_whole(done)
        assert_pair(apt)
    assert_good(apt.update())
    assert apt.lists("_Packages")[0].read_bytes() == state(rounds, how).packages("amd64")
    daemon.stop()


@pytest.mark.parametrize("how", ["by-name", "by-hash", "Release.gpg"])
def test_mirror_away(make_apt_lab: MakeAptLab, how: str) -> None:
    """Where the mirror has gone, who has no lists yet gets the last state that was seen."""
    lab = make_apt_lab()
    apt = lab.hosts[0]
    lab.debian.publish(state(0, how))
    apt.use(Form.AUTO)
    apt.sources()
    daemon = apt.start()
    apt.update()
    lab.lab.mirror.kill()
    assert_good(apt.update())
    apt.forget(lists=True)
    assert_good(apt.update())
    assert_pair(apt)
    assert apt.lists("_Packages")[0].read_bytes() == state(0, how).packages("amd64")
    daemon.stop()


@pytest.mark.parametrize("first", ["indexes", "release"])
def test_stopped_half_way(make_apt_lab: MakeAptLab, first: str) -> None:
    """A mirror that has stopped in the middle of an update has the former state answered, and the next one when it is whole."""
    lab = make_apt_lab()
    apt = lab.hosts[0]
    lab.debian.publish(state(0, "by-name"))
    apt.use(Form.AUTO)
    apt.sources()
    daemon = apt.start()
    apt.update()
    steps = [lab.debian.write_indexes, lab.debian.write_release]
    steps = steps if first == "indexes" else steps[::-1]
    steps[0](state(1, "by-name"))
    for _ in range(2):
        assert_whole(apt.run("update", check=False))
        assert_pair(apt)
        assert apt.lists("_Packages")[0].read_bytes() == state(0, "by-name").packages("amd64")
    steps[1](state(1, "by-name"))
    assert_good(apt.update())
    assert apt.lists("_Packages")[0].read_bytes() == state(1, "by-name").packages("amd64")
    daemon.stop()


def test_new_daemon(make_apt_lab: MakeAptLab) -> None:
    """A daemon that has been started anew answers for a mirror that has gone as the one before it did."""
    lab = make_apt_lab()
    apt = lab.hosts[0]
    lab.debian.publish(state(0, "by-hash"))
    apt.use(Form.AUTO)
    apt.sources()
    daemon = apt.start()
    apt.update()
    daemon.stop()
    lab.lab.mirror.kill()
    daemon = apt.start()
    apt.forget(lists=True)
    assert_good(apt.update())
    assert_pair(apt)
    daemon.stop()
