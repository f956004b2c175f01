"""Hosts of a LAN that download packages with apt: from the mirror, through apt-cacher-ng on a host of its own, and through pacserve on each."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Self

from benchmarks.apt_stock import AptStock
from benchmarks.lab import Lab
from benchmarks.servers import BenchmarkError
from benchmarks.wan import wait_until_known
from tests.e2e.lab import Daemon, Link, Mirror, Program, Site
from tests.e2e.lab import Lab as Hosts
from tests.e2e.lab.apt_host import Apt, Form
from tests.e2e.lab.requirements import PREFIX

APT_CACHER_NG = "apt-cacher-ng"
_CACHER_PORT = 3142
_CACHER_CONF = """\
CacheDir: {folder}/cache
LogDir: {folder}/log
SupportDir: /usr/lib/apt-cacher-ng
Port: {port}
ForeGround: 1
"""
# Bytes of the headers of IP and TCP, with timestamps.  Those of a few small packets are others, which makes no difference.
_HEADERS = 52
# Daemons and updates that run at once while a LAN is prepared: each takes a core for a moment.
_STARTED_AT_ONCE = 4
# Seconds after which what a download leads to has ended.
_SETTLED = 0.5
# Seconds until all hosts must know each other, and until all must have downloaded.
_DISCOVERY_TIMEOUT = 30.0
_TIMEOUT = 300.0
_numbers = itertools.count(1)
# Never shut down: what a thread has started ends with it.
_STARTERS = ThreadPoolExecutor(_STARTED_AT_ONCE)


class Way(Enum):
    """How the hosts' apt is delivered to."""

    DIRECT = "apt alone"
    CACHER = APT_CACHER_NG
    PACSERVE = "pacserve"


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What downloads of all hosts took.

    Attributes:
        wan: The bytes that the mirror's interface sent, without the headers of packets.
        seconds: The time from the start of the first apt until the last has ended.
        cpu: The CPU seconds of all daemons of pacserve.
        failed: The hosts whose apt ended with an error.
    """

    wan: int
    seconds: float
    cpu: float
    failed: int


class AptHosts:
    """
    Hosts whose apt knows the repository, with nothing of its packages, and with the delivery that is wanted.

    Args:
        stock: What the mirror has.
        wan: The way to the mirror, which all hosts share.

    Attributes:
        lan: Their lab; apt-cacher-ng has a further host.
        apts: The apt of each host; `daemons` its pacserve, if there are any.
    """

    def __init__(self, lab: Lab, stock: AptStock, way: Way, wan: Link, *, hosts: int = 1) -> None:
        number = next(_numbers)
        self._stock, self._way, self._count = stock, way, hosts
        self.lan = Hosts(
            lab.folder / f"apt{number}",
            f"{PREFIX}-{os.getpid()}-a{number}",
            stock.keyring,
            (Site(80, stock.root),),
            hosts=hosts + (way is Way.CACHER),
            wan_mbit=wan.mbit,
            rtt_ms=wan.rtt_ms,
        )
        self.apts: list[Apt] = []
        self.daemons: list[Daemon] = []

    def __enter__(self) -> Self:
        self.lan.__enter__()
        try:
            self._prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.lan.down()
        shutil.rmtree(self.lan.dir)

    def _prepare(self) -> None:
        every = [Apt(host, self._stock.key) for host in self.lan.hosts]
        self.apts = every[: self._count]
        if self._way is Way.CACHER:
            self._start_cacher()
        for apt in self.apts:
            apt.use(Form.PROXY if self._way is Way.PACSERVE else Form.DIRECT, *self._proxy())
            apt.sources()
        if self._way is Way.PACSERVE:
            self.daemons = list(_STARTERS.map(_started, self.apts))
            wait_until_known(self.lan.hosts, _DISCOVERY_TIMEOUT)
        for _ in _STARTERS.map(Apt.update, self.apts):
            pass

    def _start_cacher(self) -> None:
        central = self.lan.hosts[self._count]
        folder = central.dir / APT_CACHER_NG
        for name in ("cache", "log"):
            (folder / name).mkdir(parents=True)
        (folder / "acng.conf").write_text(_CACHER_CONF.format(folder=folder, port=_CACHER_PORT), "utf-8")
        Program(central, [APT_CACHER_NG, "-c", str(folder)], central.dir / "log" / f"{APT_CACHER_NG}.log", _CACHER_PORT)

    def _proxy(self) -> tuple[str, ...]:
        return (f'Acquire::http::Proxy "http://{self.lan.hosts[self._count].ip}:{_CACHER_PORT}";',) if self._way is Way.CACHER else ()

    def together(self, names: Sequence[str], *, retries: int = 0) -> Taken:
        """
        Downloads packages on all hosts at the same moment.

        Args:
            retries: How often apt tries again what has failed.

        Raises:
            BenchmarkError: It took too long.
        """
        return self._downloaded(names, retries, self.apts)

    def in_turns(self, names: Sequence[str]) -> Taken:
        """
        Downloads packages on one host after the other.

        Raises:
            BenchmarkError: It took too long.
        """
        each = [self._downloaded(names, 0, [apt]) for apt in self.apts]
        return Taken(*(sum(getattr(one, field.name) for one in each) for field in fields(Taken)))

    def _downloaded(self, names: Sequence[str], retries: int, apts: Sequence[Apt]) -> Taken:
        taken = self._run(apts, "install", "--download-only", "-o", f"Acquire::Retries={retries}", *names)
        lacking = [apt for apt in apts if len(list((apt.dir / "cache/archives").glob("*.deb"))) < len(names)]
        if len(lacking) != taken.failed:
            raise BenchmarkError(f"{self._way.value}: {taken.failed} hosts failed, and {len(lacking)} lack packages: {_output(lacking[0])}")
        return taken

    def update(self) -> Taken:
        """
        Updates the lists of all hosts at the same moment, of a mirror that has changed nothing.

        Raises:
            BenchmarkError: It took too long.
        """
        return self._run(self.apts, "update")

    def _run(self, apts: Sequence[Apt], *arguments: str) -> Taken:
        """Runs apt-get of hosts at the same moment until all have ended."""
        wan, cpu = _sent(self.lan.mirror), self._cpu()
        began = time.monotonic()
        running = [apt.host.spawn(apt.command(*arguments), log=_log(apt)) for apt in apts]
        try:
            states = [apt.wait(max(1.0, began + _TIMEOUT - time.monotonic())) for apt in running]
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{self._way.value}: apt-get {arguments[0]} had not ended everywhere after {_TIMEOUT:.0f} s") from None
        seconds = time.monotonic() - began
        time.sleep(_SETTLED)
        return Taken(_sent(self.lan.mirror) - wan, seconds, self._cpu() - cpu, sum(map(bool, states)))

    def _cpu(self) -> float:
        return sum(daemon.cpu() for daemon in self.daemons)

    def complaint(self) -> str:
        """Returns what the apt of the first host that failed said of it; empty if none has."""
        for apt in self.apts:
            errors = [line.strip() for line in _output(apt).splitlines() if line.startswith(("E:", "W:"))]
            if errors:
                return f"{apt.host.name}: {errors[0]}"
        return ""


def _sent(mirror: Mirror) -> int:
    """
    Returns the bytes of TCP that a mirror's interface has sent, see proc_pid_net(5).

    The interface takes packets in bundles of any size, which have one header each: with the headers, the same bytes would be one time up to 3 % more.
    """
    for line in Path(f"/proc/{mirror.pid}/net/dev").read_text("ascii").splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "eth0":
            size, packets = map(int, counts.split()[8:10])
            return size - packets * _HEADERS
    raise BenchmarkError("the mirror has no interface")


def _started(apt: Apt) -> Daemon:
    return apt.start("--multicast", "--spool", str(apt.host.dir / "spool"))


def _log(apt: Apt) -> Path:
    return apt.host.dir / "log" / "apt.out"


def _output(apt: Apt) -> str:
    return _log(apt).read_text("utf-8", "replace")
