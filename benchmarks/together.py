"""Hosts that upgrade at the same moment: what comes over the WAN, and how long it takes, by pacserve and by what else there is."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.lab import Lab
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, SkippedError, caching_nginx_command
from tests.e2e.lab import MIRROR, PACSERVE, Daemon, Depot, Host, Mirror, Program, Site, small_packages, wait_until
from tests.e2e.lab import Lab as Hosts
from tests.e2e.lab.requirements import PREFIX, missing, trial

NAME = "together"
_HOSTS = 8
# Mbit/s of the WAN, and milliseconds of its round trip.
_RATES = (100, 12)
_QUICK_RATES = (100,)
_RTT = 20.0
# Seconds until a request that has ended is in the mirror's log for certain.
_LOGGED = 0.5
# Seconds in which the hosts know each other, and in which all have upgraded: eight times the payload takes 140 s at 12 Mbit/s.
_ACQUAINTED = 20.0
_PATIENCE = 400.0
_PORT = 3128
_KNOWN = re.compile(r"\bpeer (\S+) (?:holds|is asked)")
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
    What it took that all hosts upgraded.

    Attributes:
        ratio: The bytes of packages that the mirror sent, for each byte of the packages of one host.
        seconds: From the moment when pacman was started on all hosts until the last one ended.
    """

    ratio: float
    seconds: float


def measure(lab: Lab) -> Iterator[Result]:
    """
    Eight hosts install the same 51 packages, 26 MB, at the same moment, with real pacman that checks their signatures.

    The payload is small, so that plain pacman's eightfold of it takes no more than two and a half minutes at 12 Mbit/s, and all of this some eight.
    Each figure is that of a LAN made for it, in which nobody has anything but the databases.  The caches run on a ninth host, and pacman's second
    server is the mirror, with them as with pacserve.  The bytes are those of package bodies, without the heads of packets.  The hosts share the cores
    of this machine: at 100 Mbit/s it is pacman's own work that takes most of the time, whoever delivers.

    Whoever waits for nginx's lock gets no byte until the whole file is there.  pacman gives up after 10 s without one and goes to the mirror, so the
    big package, which takes 16 s at 12 Mbit/s, is fetched by almost every host.

    Raises:
        SkippedError: The LAN can't be made here; or, after everything else, apt-cacher-ng is not installed.
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


def _measure(lab: Lab, depot: Depot, rate: int) -> Iterator[Result]:
    """At so many Mbit/s; what takes long is done once."""
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


def _upgrade(lab: Lab, depot: Depot, rate: int, way: Callable[[Hosts], None]) -> Upgrade:
    """Makes a LAN whose hosts are delivered to in this way, and has them upgrade."""
    number = next(_numbers)
    names = [*small_packages(), "big"]
    sites = (Site(80, depot.signed),)
    with Hosts(
        lab.folder / f"lan{number}", f"{PREFIX}-{os.getpid()}-b{number}", depot.keyring, sites, hosts=_HOSTS + 1, wan_mbit=rate, rtt_ms=_RTT
    ) as lan:
        way(lan)
        hosts = lan.hosts[:_HOSTS]
        for host in hosts:
            host.pacman("-Sy")
        began = time.monotonic()
        running = [host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", *names], log=host.dir / "log" / "pacman.out") for host in hosts]
        states = [pacman.wait(max(1.0, began + _PATIENCE - time.monotonic())) for pacman in running]
        taken = time.monotonic() - began
        failed = [host for host, status in zip(hosts, states, strict=True) if status or host.installed() != set(names)]
        if failed:
            output = (failed[0].dir / "log" / "pacman.out").read_text("utf-8", "replace")
            raise BenchmarkError(f"{len(failed)} of {_HOSTS} hosts did not upgrade: {output[-2000:]}")
        time.sleep(_LOGGED)
        payload = sum(depot.packages[name].size for name in names)
        return Upgrade(sum(download.sent for download in lan.mirror.package_downloads()) / payload, taken)


def _by_the_mirror(lan: Hosts) -> None:
    _use(lan.hosts, MIRROR)


def _by_pacserve(lan: Hosts) -> None:
    """Each host has a daemon that downloads into a spool of its own, and knows the others."""
    hosts = lan.hosts[:_HOSTS]
    _use(hosts, PACSERVE, MIRROR)
    daemons = [Daemon(host, "--multicast", "--misses", "auto", "--hits", "auto", "--spool", str(host.dir / "spool")) for host in hosts]
    wait_until(lambda: all(len(set(_KNOWN.findall(daemon.text()))) == _HOSTS - 1 for daemon in daemons), "the hosts to know each other", _ACQUAINTED)


def _by_nginx(lan: Hosts) -> None:
    central = lan.hosts[_HOSTS]
    command = caching_nginx_command(central.dir / "nginx", f"http://{Mirror.ip}", central.ip, _PORT)
    Program(central, command, central.dir / "log" / "nginx.log", _PORT)
    _use(lan.hosts, f"http://{central.ip}:{_PORT}/$repo/os/$arch", MIRROR)


def _by_apt_cacher_ng(lan: Hosts) -> None:
    """It fetches from any mirror that is named in the path."""
    central = lan.hosts[_HOSTS]
    folder = central.dir / _APT_CACHER_NG
    for name in ("cache", "log"):
        (folder / name).mkdir(parents=True)
    (folder / "acng.conf").write_text(_APT_CACHER_NG_CONF.format(folder=folder, port=_PORT), "utf-8")
    Program(central, [_APT_CACHER_NG, "-c", str(folder)], central.dir / "log" / "apt-cacher-ng.log", _PORT)
    _use(lan.hosts, f"http://{central.ip}:{_PORT}/{Mirror.ip}/$repo/os/$arch", MIRROR)


def _use(hosts: Sequence[Host], *servers: str) -> None:
    """Has pacman download from these servers, the first one that can."""
    for host in hosts:
        host.configure(servers=servers)


def _has_apt_cacher_ng() -> bool:
    return shutil.which(_APT_CACHER_NG) is not None
