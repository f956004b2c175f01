"""The runs of pacman, and what explains those that failed.  Rules only."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


class Event(enum.Enum):
    """Something that the soak did, and that can end a run of pacman."""

    KILL = "SIGKILL"
    STOP = "SIGTERM"
    NETWORK = "network"
    REBUILD = "rebuild"


class Cause(enum.Enum):
    """The classes of runs."""

    GOOD = "exit 0"
    KILLED = "failed: own daemon killed (SIGKILL) during the run"
    STOPPED = "failed: own daemon stopped (SIGTERM) during the run"
    CUT_OFF = "failed: own network was away, or its address changed, during the run"
    REBUILT = "failed: the mirror replaced a package by a rebuilt one during the run"
    OWN_EARLIER_BUILD = "failed: pacman's own cache held an earlier build of the same name"
    PEER_EARLIER_BUILD = "failed: an earlier build of the same name and size was around"
    UNEXPLAINED = "failed: unexplained"


_EXPLAINED = {Event.KILL: Cause.KILLED, Event.STOP: Cause.STOPPED, Event.NETWORK: Cause.CUT_OFF}


@dataclass(frozen=True, slots=True)
class Happening:
    """
    An event and the time that it took, in seconds of one clock.

    Attributes:
        host: The name of the host; empty for the mirror.
        files: The package files that were rebuilt.
    """

    event: Event
    host: str
    began: float
    ended: float
    files: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Run:
    """
    A run of pacman.

    Attributes:
        began: Seconds of the clock that the happenings have; `ended` likewise.
        earlier: The package files in pacman's own cache that were an earlier build than its database's before the run.
        twins: The package files of which builds of the same size have been published.
        own_daemon: True if the host's daemon ran when the run began.
        landed: The bytes of the packages that it brought.
    """

    host: str
    began: float
    ended: float
    status: int
    output: str
    earlier: frozenset[str] = frozenset()
    twins: frozenset[str] = frozenset()
    own_daemon: bool = True
    landed: int = 0

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.ended - self.began


def cause(run: Run, happenings: Iterable[Happening]) -> Cause:
    """Returns the class of a run: how it ended, and the first event that explains its failure."""
    if run.status == 0:
        return Cause.GOOD
    meanwhile = [each for each in happenings if each.host in ("", run.host) and each.began <= run.ended and each.ended >= run.began]
    for event, explained in _EXPLAINED.items():
        if any(each.event is event for each in meanwhile):
            return explained
    blamed = [line for line in run.output.splitlines() if "error" in line or "corrupted" in line]
    corrupted = [line for line in blamed if "corrupted" in line]
    rebuilt: frozenset[str] = frozenset().union(*(each.files for each in meanwhile))
    files = ((Cause.REBUILT, rebuilt, blamed), (Cause.OWN_EARLIER_BUILD, run.earlier, corrupted), (Cause.PEER_EARLIER_BUILD, run.twins, corrupted))
    return next((explained for explained, names, lines in files if _named(names, lines)), Cause.UNEXPLAINED)


def _named(files: Iterable[str], lines: Iterable[str]) -> bool:
    """Returns whether one of the lines names one of the files."""
    text = "\n".join(lines)
    return any(file in text for file in files)


@dataclass(slots=True)
class Record:
    """
    What the soak has seen until now.

    Attributes:
        faults: Sentences about what must not happen.
        landed: The SHA-256 and size of each build that came into a cache or a spool.
        counts: How often each kind of event was made.
    """

    runs: list[Run] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    wrong_files: list[str] = field(default_factory=list)
    landed: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def by_cause(self) -> Mapping[Cause, list[Run]]:
        """Returns the runs of each class that has any."""
        found: dict[Cause, list[Run]] = {}
        for run in tuple(self.runs):
            found.setdefault(cause(run, tuple(self.happenings)), []).append(run)
        return found
