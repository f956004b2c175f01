"""The command: `python -m tools.soak [--minutes 10] [--seed N] [--logs FOLDER]`."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from tests.e2e.lab import Lab, Site
from tests.e2e.lab.requirements import PREFIX, missing, remove_leftovers, trial
from tools.soak.changes import Changes
from tools.soak.checking import Checker
from tools.soak.report import HostFigures, report
from tools.soak.repository import Repository
from tools.soak.runs import Cause, Event, Record
from tools.soak.station import Station
from tools.soak.upgrading import Upgrader

HOSTS, RESIDENTS, WAN_MBIT = 6, 2, 20.0
# Hosts that join when the others have begun, and the seconds after which each does.
_LATE = {5: 20.0, 6: 40.0}
# Seconds between two looks at the daemons, two lines of progress, and two checks for a change that is due.
_READING_INTERVAL, _PROGRESS_INTERVAL, _TICK = 5.0, 15.0, 0.1
# Seconds for the runs under way to end at the end.
_LAST_RUNS = 60.0
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Runs the soak, and prints its table.

    Returns:
        The exit status: 0 if all went well, 1 if something was wrong, 130 if it was interrupted; the table is printed then, too.
    """
    options = _options(arguments)
    if reason := missing():
        return _refused(reason)
    with tempfile.TemporaryDirectory(prefix="pacserve-soak-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        if reason := trial(folder / "trial"):
            return _refused(reason)
        for number in _ENDS:
            signal.signal(number, _interrupt)
        soak = Soak(folder, options.seed)
        try:
            interrupted = soak.run(options.minutes * 60)
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED
        finally:
            # A second Ctrl-C must not interrupt the removal of the hosts.
            for number in _ENDS:
                signal.signal(number, signal.SIG_IGN)
            if options.logs is not None:
                soak.save(options.logs)
    if interrupted:
        return EXIT_INTERRUPTED
    return 1 if soak.faults else 0


class Soak:
    """
    A LAN, and everything that happens on it.

    Args:
        folder: Everything is written here.
        seed: Makes the changes the same again; the times at which they meet the upgrades differ.

    Attributes:
        faults: What was wrong, after the end.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._chance = random.Random(seed)
        self._record = Record()
        self._stations: list[Station] = []
        self._upgraders: list[Upgrader] = []
        self._began = 0.0
        self._writing = threading.Lock()
        self.faults: list[str] = []

    def run(self, seconds: float) -> bool:
        """Runs for a time and prints the table; returns whether it was interrupted."""
        remove_leftovers()
        self._say(f"Making packages (seed {self._seed}) ...")
        repository = Repository(self._folder, self._chance)
        prefix = f"{PREFIX}-{os.getpid()}-soak"
        interrupted = False
        try:
            with Lab(self._folder / "lan", prefix, repository.keyring, [Site(80, repository.root)], hosts=HOSTS, wan_mbit=WAN_MBIT) as lab:
                try:
                    self._soak(lab, repository, seconds)
                except KeyboardInterrupt:
                    interrupted = True
                    self._say("Interrupted.")
                finally:
                    for upgrader in self._upgraders:
                        upgrader.end()
                if not interrupted:
                    self._finish()
                taken = time.monotonic() - self._began
                sent = sum(request.sent for request in lab.mirror.package_downloads())
                self._show(sent, taken)
        finally:
            for upgrader in self._upgraders:
                upgrader.join(5.0)
            repository.close()
        return interrupted

    def save(self, folder: Path) -> None:
        """Copies the logs of the daemons and of the mirror, and writes the output of the runs that failed."""
        folder.mkdir(parents=True, exist_ok=True)
        logs = {station.name: station.log for station in self._stations} | {"mirror": self._folder / "lan" / "wan" / "access.log"}
        for name, log in logs.items():
            if log.exists():
                shutil.copy(log, folder / f"{name}.log")
        with (folder / "failed.log").open("w") as out:
            for kind, runs in self._record.by_cause().items():
                for run in runs if kind is not Cause.GOOD else ():
                    out.write(f"=== {run.host} from {run.began - self._began:.1f} to {run.ended - self._began:.1f} s: {kind.value}\n{run.output}\n")

    def _soak(self, lab: Lab, repository: Repository, seconds: float) -> None:
        record, chance = self._record, self._chance
        self._stations += [Station(lab, host, record, repository.repositories, resident=host.number <= RESIDENTS) for host in lab.hosts]
        checker = Checker(repository, record)
        self._upgraders += [Upgrader(each, repository, checker, record, random.Random(chance.random()), self._say) for each in self._stations]
        changes = Changes(self._stations, repository, record, chance, self._gather)
        for station in self._stations:
            if station.host.number in _LATE:
                changes.join_later(station, _LATE[station.host.number])
            else:
                station.start()
        self._say(f"{HOSTS} hosts, a mirror behind {WAN_MBIT:.0f} Mbit/s, {len(repository.names)} packages: {seconds / 60:.0f} minutes.")
        self._began = time.monotonic()
        for upgrader in self._upgraders:
            upgrader.start()
        read = told = self._began
        while (now := time.monotonic()) < self._began + seconds:
            changes.make()
            if now - read >= _READING_INTERVAL:
                read = now
                for station in self._stations:
                    station.look()
            if now - told >= _PROGRESS_INTERVAL:
                told = now
                self._progress(now)
            time.sleep(_TICK)

    def _finish(self) -> None:
        """Waits for the last runs, and ends every daemon as a service manager does."""
        deadline = time.monotonic() + _LAST_RUNS
        for upgrader in self._upgraders:
            upgrader.join(max(0.0, deadline - time.monotonic()))
        for station in self._stations:
            station.look()
            station.end(Event.STOP)

    def _gather(self) -> None:
        for upgrader in self._upgraders:
            upgrader.hurry.set()

    def _progress(self, now: float) -> None:
        runs = self._record.by_cause()
        failed, unexplained = len(self._record.runs) - len(runs.get(Cause.GOOD, ())), len(runs.get(Cause.UNEXPLAINED, ()))
        up = sum(station.runs for station in self._stations)
        used = max((station.readings[-1].resident for station in self._stations if station.readings), default=0)
        counts = f"{len(self._record.runs)} runs, {failed} failed, {unexplained} of them unexplained; {len(self._record.wrong_files)} wrong files"
        self._say(f"{now - self._began:5.0f} s: {counts}; {up} daemons, the largest has {used / 1e6:.0f} MB")

    def _show(self, wan: int, seconds: float) -> None:
        hosts = [HostFigures(each.name, each.starts, each.resident, each.readings, _lines(each.log)) for each in self._stations]
        text, self.faults = report(self._record, hosts, wan, seconds)
        self._say(f"\n{text}")
        for fault in self.faults:
            self._say(f"WRONG: {fault}")
        self._say("Something was wrong." if self.faults else "All went well.")

    def _say(self, line: str) -> None:
        with self._writing:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description="Six hosts upgrade again and again while everything around them changes.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="of what happens (default: by chance)")
    parser.add_argument("--logs", metavar="FOLDER", type=Path, help="keep the logs of the daemons and the output of failed runs there")
    return parser.parse_args(arguments)


def _lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines() if log.exists() else []


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _refused(reason: str) -> int:
    sys.stderr.write(f"make soak: {reason.replace('end-to-end tests need', 'it needs')}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
