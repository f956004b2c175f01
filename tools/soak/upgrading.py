"""Upgrades a host by real pacman, again and again."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable

from tools.soak.checking import Checker
from tools.soak.repository import Repository
from tools.soak.runs import Cause, Record, Run, cause
from tools.soak.station import Station

# Seconds between two runs of a host, and the longest that a run may take.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 4.0, 14.0
_RUN_TIMEOUT = 240.0
# The status of a run that was ended because it took too long.
_HUNG = -1
# The part of the runs before which everything is uninstalled.
_REINSTALLS = 0.05


class Upgrader:
    """
    Upgrades one host in a thread of its own.

    Args:
        hurry: Set when all hosts are to upgrade at the same moment.
        say: Shows a line.
    """

    def __init__(
        self, station: Station, repository: Repository, checker: Checker, record: Record, chance: random.Random, say: Callable[[str], object]
    ) -> None:
        self.station = station
        self.hurry, self._ending = threading.Event(), threading.Event()
        self._repository, self._checker, self._record, self._chance, self._say = repository, checker, record, chance, say
        self._thread = threading.Thread(target=self._run, name=station.name, daemon=True)

    def start(self) -> None:
        """Begins to upgrade."""
        self._thread.start()

    def end(self) -> None:
        """Begins no further run."""
        self._ending.set()
        self.hurry.set()

    def join(self, seconds: float) -> None:
        """Waits until the last run has ended."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._ending.is_set():
            self.hurry.wait(self._chance.uniform(_SHORTEST_PAUSE, _LONGEST_PAUSE))
            self.hurry.clear()
            if self._ending.is_set():
                return
            try:
                with self.station.alone:
                    run = self._upgrade()
            except Exception as error:
                if not self._ending.is_set():  # the hosts may have been removed
                    self._record.faults.append(f"the soak failed on {self.station.name}: {error!r}")
                return
            if not self._ending.is_set() or run.status == 0:
                self._record.runs.append(run)
                self._tell(run)

    def _upgrade(self) -> Run:
        station = self.station
        if self._chance.random() < _REINSTALLS:
            station.reinstall()
        earlier = self._checker.earlier(station)
        age = self._checker.age(station)
        own_daemon, reached = station.runs, station.reached
        began = time.monotonic()
        try:
            done = station.host.run(
                ["pacman", "--noconfirm", "--noprogressbar", "--needed", "-Syu", *self._repository.names], check=False, timeout=_RUN_TIMEOUT
            )
            status, output = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired as error:
            status, output = _HUNG, f"error: pacman ran for {_RUN_TIMEOUT:.0f} s\n{error.stdout!r}\n{error.stderr!r}"
            (station.host.dir / "db" / "db.lck").unlink(missing_ok=True)
        ended = time.monotonic()
        landed = self._checker.check(station, exact=status == 0)
        after = self._checker.age(station)
        if reached and age is not None and after is not None and after < age:
            self._record.faults.append(f"{station.name}: the databases went back by {age - after} publications")
        return Run(station.name, began, ended, status, output, earlier, self._repository.twins, own_daemon, landed)

    def _tell(self, run: Run) -> None:
        kind = cause(run, tuple(self._record.happenings))
        if kind is Cause.GOOD:
            return
        self._say(f"  {run.host}: {kind.value} (status {run.status}, {run.seconds:.1f} s)")
        if kind is Cause.UNEXPLAINED:
            self._say("".join(f"    | {line}\n" for line in run.output.splitlines() if "error" in line or "corrupted" in line).rstrip())
