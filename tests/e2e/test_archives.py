"""Hosts that have fetched packages without pacserve share them all the same."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import MakeAptLab
from tests.e2e.lab import Daemon, wait_until
from tests.e2e.lab.apt_host import Apt, Form
from tests.e2e.lab.apt_lab import assert_good, packages
from tests.e2e.lab.apt_repository import Suite

# Takes a minute: files that apt has just put there are left alone for as long.
pytestmark = pytest.mark.long

DEBS = packages(6, "1:2.0~rc1+b1-1")
NAMES = [deb.package for deb in DEBS]
FOUND_WITHIN = 90.0


def offered(apt: Apt) -> set[str]:
    """The digests of the files that a host offers by their content."""
    return {name.partition("@")[2].removesuffix(".blob") for name in json.loads(apt.host.request("/info").body)["content"]}


def start(apt: Apt) -> Daemon:
    """Starts pacserve on a host, where apt asks it from now on."""
    apt.use(Form.PROXY)
    apt.sources()
    return apt.start("--multicast", "--multicast-interval", "5", "--spool", str(apt.host.dir / "spool"))


def test_archives_are_shared(make_apt_lab: MakeAptLab) -> None:
    """What apt had fetched before pacserve came is read, and given to the LAN, until apt removes it; after a restart nothing is read again."""
    lab = make_apt_lab(hosts=2)
    lab.debian.publish(Suite("stable", debs=DEBS))
    first, second = lab.hosts
    for apt in lab.hosts:
        apt.sources()
        apt.update()
    assert_good(first.run("install", "--download-only", *NAMES))
    assert set(first.archives()) == {deb.archive for deb in DEBS}
    lab.root.joinpath("debian", "pool").rename(lab.root / "gone")  # the mirror has them no more

    daemons = [start(apt) for apt in lab.hosts]
    wanted = {deb.sha256 for deb in DEBS}
    wait_until(lambda: offered(first) >= wanted, "the archives to be offered", FOUND_WITHIN)
    assert_good(second.run("install", *NAMES))
    assert set(second.installed()) == set(NAMES)

    daemons[0].kill()
    daemons[0] = first.start("--multicast", "--multicast-interval", "5", "--spool", str(first.host.dir / "spool"))
    wait_until(lambda: offered(first) >= wanted, "the archives to be known again", 15)
    first.run("clean")
    wait_until(lambda: not offered(first) & wanted, "the archives to be gone", 15)
    for daemon in daemons:
        daemon.stop()
