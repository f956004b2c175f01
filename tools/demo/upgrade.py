"""The LAN of the demo, and its upgrades."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.lab import MIRROR, PACSERVE, Daemon, Host, Lab, wait_until
from tools.demo.outcome import Outcome, Share, given
from tools.demo.repository import REPOSITORY, Repository

WAN_MBIT, RTT_MS, HOSTS = 20, 20.0, 3
_MEGABYTE = 1_000_000
# Seconds until all hosts must know each other; between two lines of progress; until all must have upgraded.
_DISCOVERY_TIMEOUT = 20.0
_PROGRESS_INTERVAL = 2.0
_UPGRADE_TIMEOUT = 90.0
# Seconds after which an answered request is certainly in every log.
_LOG_DELAY = 0.6
_KNOWN = re.compile(r"\bpeer (\S+) (?:holds|is asked)")

Say = Callable[[str], object]


class DemoError(Exception):
    """The demo could not be completed."""


@dataclass(frozen=True, slots=True)
class _Marks:
    """The positions of logs and counters before an upgrade."""

    wan: int
    mirror: int
    daemons: tuple[int, ...]


class Upgrades:
    """
    Upgrades all hosts of a LAN at the same moment.

    Args:
        say: Shows a line of progress.
    """

    def __init__(self, lan: Lab, repository: Repository, say: Say) -> None:
        self._lan, self._repository, self._say = lan, repository, say
        self._daemons: list[Daemon] = []

    def start_daemons(self) -> None:
        """Starts pacserve on each host, and waits until all have found each other."""
        self._say("Starting pacserve --multicast on each host; they find each other ...")
        hosts = self._lan.hosts
        self._daemons = [Daemon(host, "--multicast", "--misses", "auto", "--hits", "auto", "--spool", str(host.dir / "spool")) for host in hosts]
        wait_until(lambda: all(len(set(_KNOWN.findall(daemon.text()))) == len(hosts) - 1 for daemon in self._daemons), "them", _DISCOVERY_TIMEOUT)

    def with_pacserve(self) -> Outcome:
        """
        Upgrades through pacserve.

        Raises:
            DemoError: A host did not upgrade.
        """
        return self._upgrade("with pacserve", (PACSERVE, MIRROR))

    def without(self) -> Outcome:
        """
        Upgrades from the mirror.

        Raises:
            DemoError: A host did not upgrade.
        """
        return self._upgrade("without", (MIRROR,))

    def _upgrade(self, title: str, servers: Sequence[str]) -> Outcome:
        for host in self._lan.hosts:
            host.configure(servers, [REPOSITORY])
            _install_old(host, self._repository)
        before = self._marks()
        self._say(f"pacman -Syu on all {len(self._lan.hosts)} hosts, {title}:")
        seconds = self._run(before.wan)
        time.sleep(_LOG_DELAY)
        return self._outcome(title, before, seconds)

    def _run(self, wan: int) -> list[float]:
        """Runs `pacman -Syu` on all hosts at once, and returns the seconds that each host took."""
        hosts = self._lan.hosts
        began = time.monotonic()
        running = {host.name: host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-Syu"], log=_output(host)) for host in hosts}
        taken: dict[str, float] = {}
        told = 0.0
        while len(taken) < len(hosts):
            time.sleep(0.02)
            now = time.monotonic() - began
            for host in hosts:
                if host.name not in taken and (status := running[host.name].poll()) is not None:
                    taken[host.name] = now
                    self._judge(host, status)
            if now - told >= _PROGRESS_INTERVAL:
                told = now
                self._say(f"  {now:3.0f} s: the WAN has carried {(self._lan.mirror.wan_bytes() - wan) / _MEGABYTE:5.1f} MB")
            if now > _UPGRADE_TIMEOUT:
                raise DemoError(f"not all hosts were done after {_UPGRADE_TIMEOUT:.0f} s")
        return [taken[host.name] for host in hosts]

    def _judge(self, host: Host, status: int) -> None:
        versions = set(host.run("pacman -Q", check=False).stdout.splitlines())
        if status or versions != self._repository.versions:
            raise DemoError(f"pacman on {host.name} ended with status {status}:\n{_output(host).read_text(errors='replace')[-2000:]}")

    def _marks(self) -> _Marks:
        return _Marks(self._lan.mirror.wan_bytes(), len(self._lan.mirror.requests()), tuple(len(daemon.text()) for daemon in self._daemons))

    def _outcome(self, title: str, before: _Marks, seconds: Sequence[float]) -> Outcome:
        hosts = self._lan.hosts
        mirrored = self._lan.mirror.requests()[before.mirror :]
        gifts = [given(daemon.text()[start:].splitlines()) for daemon, start in zip(self._daemons, before.daemons, strict=True)]
        shares = [
            Share(
                host.name,
                sum(request.sent for request in mirrored if request.client == host.ip and request.method == "GET"),
                {giver.name: gift[host.ip] for giver, gift in zip(hosts, gifts, strict=False) if host.ip in gift},
                taken,
            )
            for host, taken in zip(hosts, seconds, strict=True)
        ]
        return Outcome(title, shares, self._lan.mirror.wan_bytes() - before.wan)


def _install_old(host: Host, repository: Repository) -> None:
    """Installs the old packages on a host, and empties its package cache."""
    for path in host.pkg.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    host.pacman("-U", *repository.old_files)
    _output(host).unlink(missing_ok=True)


def _output(host: Host) -> Path:
    return host.dir / "log" / "pacman.out"
