"""Mirrors that give wrong bytes, and how downloads from them end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from pacserve.transfer.division import Sizes
from pacserve.transfer.download import Download
from tests.unit.transfer.simulator import DATA, Behaviour, Client, Scene, SimulatedMirror

SIZES = Sizes(file=1000, first=500, least=250, most=2000, alone=4000, window=6000)
# A mirror that gives 1000 bytes a second, and one that gives as many, all of them wrong.
STEADY = Behaviour(piece=250, interval=0.25)
LIAR = replace(STEADY, content="all wrong")
# Mirrors that give from 200 bytes a second to all at once.
SPEEDS = st.builds(
    replace,
    st.just(STEADY),
    piece=st.sampled_from([100, 250, 999]),
    interval=st.sampled_from([0.0, 0.25, 0.5]),
    delay=st.sampled_from([0.0, 0.25, 1.0]),
)
_OFFSETS = st.integers(0, len(DATA) - 1)
WRONG_BYTES = st.frozensets(_OFFSETS, min_size=1, max_size=5) | _OFFSETS.map(lambda first: frozenset(range(first, len(DATA))))
# Seconds after which every download has ended, and those in which a mirror whose bytes are wanted no more notices that.
_LONG = 600
_SHORT = 10


@dataclass(frozen=True)
class Outcome:
    """
    How a download ended.

    Attributes:
        clients: One that came at once, and one that came two seconds later.
        data: The file.
        seconds: Until its end.
        error: Why it failed; None where it did not.
    """

    download: Download
    mirrors: Sequence[SimulatedMirror]
    clients: list[Client]
    data: bytes
    seconds: float
    error: object

    @property
    def liars(self) -> list[int]:
        """The numbers of the mirrors that were blamed."""
        return [number for number, mirror in enumerate(self.mirrors) if "lied" in mirror.verdicts]

    @property
    def given(self) -> list[int]:
        """The bytes that each mirror was asked for."""
        return [sum(body.part[1] - body.part[0] for body in mirror.bodies) for mirror in self.mirrors]


def finish(scene: Scene, download: Download, mirrors: Sequence[SimulatedMirror]) -> Outcome:
    """Has a download run to its end, and returns how it ended."""
    ends: list[tuple[float, object]] = []
    Deferred.fromCoroutine(download.run()).addBoth(lambda result: ends.append((scene.clock.seconds(), result)))
    clients = [Client(download, scene.clock)]
    scene.pass_time(2)
    clients.append(Client(download, scene.clock))
    began = scene.clock.seconds()
    while scene.clock.seconds() < began + _LONG and not (ends and all(client.complete is not None for client in clients)):
        scene.pass_time(1)
    scene.pass_time(_SHORT)
    seconds, result = ends[0]
    return Outcome(download, mirrors, clients, _read(download), seconds, getattr(result, "value", None))


def _read(download: Download) -> bytes:
    """Returns what is on the disk."""
    return os.pread(download.file.file.fileno(), 2 * len(DATA), 0)
