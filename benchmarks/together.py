"""Hosts that upgrade at the same moment: the WAN traffic and the time, with pacserve and with other programs for the purpose."""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.lab import Lab
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, SkippedError, caching_nginx_command
from benchmarks.wan import wait_until_known
from tests.e2e.lab import MIRROR, PACSERVE, Daemon, Depot, Host, Mirror, Program, Site, small_packages
from tests.e2e.lab import Lab as Hosts
from tests.e2e.lab.requirements import PREFIX, missing, trial
from tests.e2e.lab.shortage import why_not

NAME = "together"
BUSY = "together-busy"
_HOSTS = 8
# Rates of the WAN in Mbit/s, and its round trip in milliseconds.
_RATES = (100, 12)
_QUICK_RATES = (100,)
_RTT = 20.0
# Parts of one core that each host has when its CPU is short.
_SHARES = (0.25, 0.1)
_QUICK_SHARES = (0.25,)
# Seconds after which a request that has ended is certainly in the mirror's log.
_LOG_DELAY = 0.5
# Seconds until all hosts must know each other, and until all must have upgraded: eight times the payload takes 140 s at 12 Mbit/s.
_DISCOVERY_TIMEOUT = 20.0
_UPGRADE_TIMEOUT = 400.0
_PORT = 3128
_APT_CACHER_NG = "apt-cacher-ng"
_APT_CACHER_NG_CONF = """\
CacheDir: {folder}/cache
LogDir: {folder}/log
SupportDir: /usr/lib/apt-cacher-ng
Port: {port}
ForeGround: 1
"""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """
    The WAN traffic and time of an upgrade of all hosts.

    Attributes:
        ratio: The bytes of packages that the mirror sent, divided by those that one host needs.
        seconds: The time from the start of pacman on all hosts until the last one ended.
    """

    ratio: float
    seconds: float


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures eight hosts that install the same 51 packages, 26 MB, at the same moment, with real pacman that checks signatures.

    The payload is small, so that plain pacman, which downloads it eight times, takes no more than two and a half minutes at 12 Mbit/s, and the
    whole benchmark some eight.  Each figure comes from a new LAN, in which the hosts have nothing but the databases.  The central caches run on a
    ninth host, and pacman's second server is the mirror, as it is with pacserve.  The bytes are those of package bodies, without packet
    headers.  The hosts share the cores of this machine: at 100 Mbit/s pacman's own work takes most of the time, whichever program delivers.

    A host that waits for nginx's lock gets no byte until the whole file has arrived.  pacman gives up after 10 s without a byte and asks the mirror,
    so almost every host fetches the big package, which takes 16 s at 12 Mbit/s.

    Raises:
        SkippedError: The LAN can't be made here; or, after all other figures, apt-cacher-ng is not installed.
    """
    reason = missing() or trial(lab.folder / "trial")
    if reason:
        raise SkippedError(reason.replace("end-to-end tests need", "needs"))
    depot = Depot(lab.path("depot"))
    try:
        for rate in _QUICK_RATES if lab.quick else _RATES:
            yield from _measure(lab, depot, rate)
    except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError(str(error)) from error
    if not _has_apt_cacher_ng():
        raise SkippedError(f"{_APT_CACHER_NG} is not installed, the others were measured")


def measure_busy(lab: Lab) -> Iterator[Result]:
    """
    Measures the same where each host has a part of one core, for pacserve and pacman together.

    What is late on such a host is not gone: the bytes must not become more.

    Raises:
        SkippedError: The LAN can't be made here, or no CPU can be made short.
    """
    reason = missing() or trial(lab.folder / "trial") or why_not()
    if reason:
        raise SkippedError(reason.replace("end-to-end tests need", "needs"))
    depot = Depot(lab.path("depot"))
    try:
        for share in _QUICK_SHARES if lab.quick else _SHARES:
            upgrades = [_upgrade(lab, depot, _QUICK_RATES[0], _by_pacserve, share) for _ in range(lab.repetitions)]
            what = f"{_HOSTS} hosts with {share:.0%} of a core each"
            yield Result(BUSY, f"{what}: WAN bytes for each of the payload", max(one.ratio for one in upgrades), "", aim=Aim(1.1, least=False))
            yield Result(BUSY, f"{what}: until the last has upgraded", statistics.median(one.seconds for one in upgrades), "s")
    except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError(str(error)) from error


def _measure(lab: Lab, depot: Depot, rate: int) -> Iterator[Result]:
    """Measures at a rate in Mbit/s; slow measurements are done only once."""
    repetitions = lab.repetitions if rate >= 100 else 1
    what = f"{_HOSTS} hosts, {rate} Mbit/s"
    ours, theirs = [], []
    for _ in range(repetitions):
        theirs.append(_upgrade(lab, depot, rate, _by_nginx))
        ours.append(_upgrade(lab, depot, rate, _by_pacserve))
    pairs = list(zip(ours, theirs, strict=True))
    yield Result(
        NAME,
        f"{what}: WAN bytes for each of the payload",
        statistics.median(one.ratio for one in ours),
        "",
        statistics.median(one.ratio for one in theirs),
        statistics.median(one.ratio / other.ratio for one, other in pairs),
        Aim(1.05, least=False),
    )
    yield Result(
        NAME,
        f"{what}: until the last has upgraded",
        statistics.median(one.seconds for one in ours),
        "s",
        statistics.median(one.seconds for one in theirs),
        statistics.median(one.seconds / other.seconds for one, other in pairs),
    )
    others: dict[str, Callable[[Hosts], None]] = {"plain pacman": _by_the_mirror}
    if _has_apt_cacher_ng():
        others[_APT_CACHER_NG] = _by_apt_cacher_ng
    for name, way in others.items():
        other = _upgrade(lab, depot, rate, way)
        yield Result(NAME, f"{what}: the same by {name} instead, WAN", other.ratio, "")
        yield Result(NAME, f"{what}: the same by {name} instead, until the last", other.seconds, "s")


def _upgrade(lab: Lab, depot: Depot, rate: int, way: Callable[[Hosts], None], share: float | None = None) -> Upgrade:
    """
    Makes a LAN, sets up one way of delivery, and upgrades its hosts.

    Args:
        share: The part of one core that each host has; None for as much as there is.
    """
    number = next(_numbers)
    names = [*small_packages(), "big"]
    sites = (Site(80, depot.signed),)
    with Hosts(
        lab.folder / f"lan{number}", f"{PREFIX}-{os.getpid()}-b{number}", depot.keyring, sites, hosts=_HOSTS + 1, wan_mbit=rate, rtt_ms=_RTT
    ) as lan:
        hosts = lan.hosts[:_HOSTS]
        if share is not None:
            for host in hosts:
                host.confine(share)
        way(lan)
        for host in hosts:
            host.pacman("-Sy")
        began = time.monotonic()
        running = [host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", *names], log=host.dir / "log" / "pacman.out") for host in hosts]
        states = [pacman.wait(max(1.0, began + _UPGRADE_TIMEOUT - time.monotonic())) for pacman in running]
        taken = time.monotonic() - began
        failed = [host for host, status in zip(hosts, states, strict=True) if status or host.installed() != set(names)]
        if failed:
            output = (failed[0].dir / "log" / "pacman.out").read_text("utf-8", "replace")
            raise BenchmarkError(f"{len(failed)} of {_HOSTS} hosts did not upgrade: {output[-2000:]}")
        time.sleep(_LOG_DELAY)
        payload = sum(depot.packages[name].size for name in names)
        return Upgrade(sum(download.sent for download in lan.mirror.package_downloads()) / payload, taken)


def _by_the_mirror(lan: Hosts) -> None:
    _use(lan.hosts, MIRROR)


def _by_pacserve(lan: Hosts) -> None:
    """Starts a daemon on each host, with a spool of its own, and waits until all know each other."""
    hosts = lan.hosts[:_HOSTS]
    _use(hosts, PACSERVE, MIRROR)
    for host in hosts:
        Daemon(host, "--multicast", "--misses", "auto", "--hits", "auto", "--spool", str(host.dir / "spool"))
    wait_until_known(hosts, _DISCOVERY_TIMEOUT)


def _by_nginx(lan: Hosts) -> None:
    central = lan.hosts[_HOSTS]
    command = caching_nginx_command(central.dir / "nginx", f"http://{Mirror.ip}", central.ip, _PORT)
    Program(central, command, central.dir / "log" / "nginx.log", _PORT)
    _use(lan.hosts, f"http://{central.ip}:{_PORT}/$repo/os/$arch", MIRROR)


def _by_apt_cacher_ng(lan: Hosts) -> None:
    """Starts apt-cacher-ng, which fetches from the mirror that the path names."""
    central = lan.hosts[_HOSTS]
    folder = central.dir / _APT_CACHER_NG
    for name in ("cache", "log"):
        (folder / name).mkdir(parents=True)
    (folder / "acng.conf").write_text(_APT_CACHER_NG_CONF.format(folder=folder, port=_PORT), "utf-8")
    Program(central, [_APT_CACHER_NG, "-c", str(folder)], central.dir / "log" / "apt-cacher-ng.log", _PORT)
    _use(lan.hosts, f"http://{central.ip}:{_PORT}/{Mirror.ip}/$repo/os/$arch", MIRROR)


def _use(hosts: Sequence[Host], *servers: str) -> None:
    """Configures pacman to download from the first of these servers that answers."""
    for host in hosts:
        host.configure(servers=servers)


def _has_apt_cacher_ng() -> bool:
    return shutil.which(_APT_CACHER_NG) is not None
