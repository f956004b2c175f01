"""Downloads that survive: the daemon is killed or stopped in mid-file, or pacman is, and whatever comes later goes on where it was."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from pacserve.transfer.unfinished import Journal, parse
from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PACSERVE, Daemon, Depot, Host, Site, wait_until
from tests.e2e.lab.slowness import limit
from tests.e2e.test_fetch_failures import OTHER_MIRROR, SLOWLY, fetching, packages, spooled, unfinished

# Bytes that a daemon has got when it is ended, of 24 MB.
POINTS = (4_000_000, 10_000_000, 17_000_000)


def noted(host: Host) -> int:
    """The bytes of a file that are there, as the journal says."""
    return journal(host).done


def journal(host: Host) -> Journal:
    """What is known of the one file that is not complete."""
    (path,) = unfinished(host)
    return parse(Path(f"{path}.spans").read_bytes())


def start_pacman(host: Host, at: int) -> None:
    """Starts pacman, and ends it as the terminal does when it is closed, after the daemon has so many bytes."""
    pacman = host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", "big"], log=host.dir / "log" / "pacman.out.log")
    wait_until(lambda: pacman.poll() is not None or (bool(unfinished(host)) and noted(host) > at), f"{at} bytes", 30)
    assert pacman.poll() is None
    pacman.send_signal(signal.SIGKILL)
    pacman.wait(limit(10))
    (host.dir / "db" / "db.lck").unlink(missing_ok=True)


def end(daemon: Daemon, host: Host, how: signal.Signals) -> int:
    """Ends a daemon, and returns how much it had noted."""
    before = noted(host)
    daemon.process.send_signal(how)
    daemon.process.wait(limit(15))
    after = noted(host)
    assert after >= before
    return after


def test_killed_again_and_again(make_lab: MakeLab, depot: Depot) -> None:
    """A daemon that is killed at three points of a file goes on each time where it was: the mirror sends nothing twice but the last bytes."""
    lab = make_lab(sites=(Site(80, depot.signed, SLOWLY),))
    host, _ = lab.hosts
    daemon = fetching(host)
    host.pacman("-Sy")
    wanted = [0]
    for point in POINTS:
        start_pacman(host, point)
        wanted.append(end(daemon, host, signal.SIGKILL))
        daemon = fetching(host)
        status = json.loads(host.request("/status").body)
        (listed,) = status["spool"]["unfinished"]
        assert (listed["name"], listed["done"], listed["size"]) == (depot.packages["big"].filename, wanted[-1], big_size(depot))
    host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert spooled(host) == packages(depot, "big")
    wait_until(lambda: len(lab.mirror.package_downloads()) == len(wanted), "the mirror's log")
    assert [first_byte(request.range) for request in lab.mirror.package_downloads()] == wanted
    assert all(noted_end >= point for noted_end, point in zip(wanted[1:], POINTS, strict=True))
    daemon.stop()


def big_size(depot: Depot) -> int:
    """Bytes of the big package."""
    return (depot.folder() / depot.packages["big"].filename).stat().st_size


def first_byte(asked: str) -> int:
    """The first byte of a Range header, as nginx logs it."""
    return 0 if asked == "-" else int(asked.removeprefix("bytes=").partition("-")[0])


def asked_part(asked: str) -> tuple[int, int]:
    """The first byte of a Range header, and the one behind the last."""
    return first_byte(asked), int(asked.partition("-")[2]) + 1


def test_stopped(make_lab: MakeLab, depot: Depot) -> None:
    """After Ctrl-C of pacman, and a stop of the daemon before it has all, what pacman is started for later goes on where both were."""
    lab = make_lab(sites=(Site(80, depot.signed, SLOWLY),))
    host, _ = lab.hosts
    daemon = fetching(host)
    host.pacman("-Sy")
    pacman = host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", "big"], log=host.dir / "log" / "pacman.out.log")
    wait_until(lambda: bool(unfinished(host)) and noted(host) > POINTS[0], "some bytes", 30)
    pacman.send_signal(signal.SIGINT)
    pacman.wait(limit(10))
    left = noted(host)
    wait_until(lambda: noted(host) > left + 1_000_000, "the download to go on without pacman")
    here = end(daemon, host, signal.SIGTERM)
    assert here > left
    daemon = fetching(host)
    host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert spooled(host) == packages(depot, "big")
    *_, line = daemon.requests(depot.packages["big"].filename)
    assert " 206 " in line
    wait_until(lambda: len(lab.mirror.package_downloads()) == 2, "the mirror's log")
    assert [first_byte(request.range) for request in lab.mirror.package_downloads()] == [0, here]
    daemon.stop()


def test_killed_with_several_mirrors(make_lab: MakeLab, depot: Depot) -> None:
    """So does one that takes the file from three mirrors: all parts of it that were there are still there, and no mirror sends them again."""
    lab = make_lab(sites=tuple(Site(port, depot.signed, "limit_rate 2m;") for port in (80, 81, 82)))
    host, _ = lab.hosts
    host.configure(servers=[PACSERVE, MIRROR, OTHER_MIRROR, MIRROR.replace("10.78.0.2", "10.78.0.2:82")])
    daemon = fetching(host)
    host.pacman("-Sy")
    for point in POINTS[:2]:
        start_pacman(host, point)
        end(daemon, host, signal.SIGKILL)
        there = journal(host).spans
        time.sleep(1)  # by then the mirrors have logged the requests that were cut
        before = len(lab.mirror.package_downloads())
        daemon = fetching(host)
    host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert spooled(host) == packages(depot, "big")
    assert {request.port for request in lab.mirror.package_downloads()} == {80, 81, 82}
    later = [asked_part(request.range) for request in lab.mirror.package_downloads()[before:]]
    assert [(span, part) for span in there for part in later if part[0] < span[1] and span[0] < part[1]] == []
    daemon.stop()
