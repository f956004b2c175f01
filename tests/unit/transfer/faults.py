"""Everything that mirrors can do wrong and clients can do, drawn at random, and a download that meets it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from pacserve.errors import FetchError
from pacserve.packages.files import ExpectedFile
from pacserve.transfer.choosing import HEAD_TIMEOUT, STALL_TIMEOUT
from pacserve.transfer.download import Download
from pacserve.transfer.terms import Terms
from tests.unit.transfer.simulator import CONTENTS, DATA, TICKS, Behaviour, Client, Fault, Scene, SceneCase, SimulatedMirror

SIZE = len(DATA)
# Seconds after which every download has ended, whatever its mirrors do.
LONG = 600


def offsets(size: int = SIZE) -> st.SearchStrategy[int]:
    """Bytes of the file, and those where something ends more often than others."""
    return st.one_of(st.sampled_from([0, 1, 4999, 5000, 5001, size - 1, size]), st.integers(0, size))


FAULTS = st.builds(
    Fault,
    at=offsets(),
    kind=st.sampled_from(["breaks", "ends", "stalls"]),
    seconds=st.sampled_from([0.5, 2.5, 3.0, 3.5, 6.5, 1e6]),
)
BEHAVIOURS = st.builds(
    Behaviour,
    content=st.sampled_from(sorted(CONTENTS)),
    faults=st.lists(st.none() | FAULTS, max_size=4).map(tuple),
    refuses=st.sampled_from(["", "", "", "connection refused", "TLS: the certificate is not valid", "redirected more than 5 times"]),
    status=st.sampled_from([None, None, None, None, 404, 410, 403, 500, 204, 206, 416]),
    delay=st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, 3.5, 1e6]),
    piece=st.sampled_from([7000, 2000, 999, 20_000]),
    interval=st.sampled_from([0.0, 0.0, 0.25, 2.0]),
    more_stated=st.sampled_from([0, 0, 0, 1, 5000]),
    chunked=st.booleans(),
    ranges=st.booleans(),
    etag=st.sampled_from(['"same"', '"other"', 'W/"weak"', ""]),
    modified=st.sampled_from(["Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 02 Jan 2026 00:00:00 GMT", ""]),
)
GOOD = st.builds(
    Behaviour,
    delay=st.sampled_from([0.0, 0.5, 1.5]),
    piece=st.sampled_from([2000, 20_000]),
    interval=st.sampled_from([0.0, 0.25]),
    chunked=st.booleans(),
    ranges=st.booleans(),
    etag=st.sampled_from(['"same"', '"other"', ""]),
    modified=st.sampled_from(["Thu, 01 Jan 2026 00:00:00 GMT", ""]),
)


@dataclass(frozen=True)
class Visit:
    """When a client comes and goes, in seconds, and the byte that it begins with."""

    comes: float
    stays: float
    first: int


VISITS = st.builds(
    Visit,
    comes=st.sampled_from([0.0, 0.0, 0.5, 2.25, 5.0, 20.0]),
    stays=st.sampled_from([0.25, 3.0, 1e6, 1e6]),
    first=st.just(0) | offsets(),
)


def honest(behaviour: Behaviour) -> Behaviour:
    """The same mirror, whose validators tell its file from others, and whose body has an end that can be told from a broken connection."""
    day = 1 + sorted(CONTENTS).index(behaviour.content)
    faults = tuple(None if fault is None else replace(fault, kind="breaks" if fault.kind == "ends" else fault.kind) for fault in behaviour.faults)
    etag = f'"{day}"' if behaviour.etag else ""
    return replace(behaviour, faults=faults, etag=etag, modified=f"Thu, {day:02} Jan 2026 00:00:00 GMT" if behaviour.modified else "")


class Play:
    """
    A download that ran to its end, with clients that came and went.

    Attributes:
        clients: Those who came, whether they stayed or not.
    """

    def __init__(
        self,
        case: SceneCase,
        behaviours: list[Behaviour],
        visits: list[Visit],
        expected: ExpectedFile | None,
        terms: Terms | None = None,
        *,
        trusted: bool = True,
    ) -> None:
        self.scene: Scene = case.scene()
        self.mirrors: list[SimulatedMirror] = self.scene.mirrors(behaviours, trusted=trusted)
        self.download: Download = self.scene.download(self.mirrors, expected, terms)
        self.clients: list[Client] = []
        self.stayed: list[Client] = []
        self.running: Deferred[None] = Deferred()
        clock = self.scene.clock
        leaving: list[tuple[float, Client]] = []
        waiting = sorted(visits, key=lambda visit: visit.comes)
        begun = False
        while True:
            while waiting and waiting[0].comes <= clock.seconds():
                visit = waiting.pop(0)
                client = Client(self.download, clock, visit.first)
                self.clients.append(client)
                leaving.append((clock.seconds() + visit.stays, client))
            if not begun:
                begun = True
                self.running = Deferred.fromCoroutine(self.download.run())
            for when, client in leaving:
                if when <= clock.seconds():
                    client.leave()
            if clock.seconds() >= LONG:
                break
            if self.running.called and clock.seconds() > 30:
                clock.advance(LONG)
            clock.advance(1 / TICKS)
        self.stayed = [client for when, client in leaving if when > clock.seconds()]


class PlayCase(SceneCase):
    """Tests of what comes of a download."""

    def check(self, play: Play, contents: list[bytes]) -> None:
        """Checks what holds for every download."""
        for client in play.clients:
            if client.complete:
                self.assertIn(client.got, [content[client.first :] for content in contents])
        for client in play.stayed:
            self.assertIsNotNone(client.complete)
        self.assertTrue(play.running.called, "it never ends")
        play.running.addErrback(lambda failure: failure.trap(FetchError) and None)
        self.successResultOf(play.running)
        self.assert_left_nothing(play.scene, play.mirrors)
        asked = [len(mirror.asked) for mirror in play.mirrors]
        play.scene.pass_time(HEAD_TIMEOUT + STALL_TIMEOUT)
        self.assertEqual([len(mirror.asked) for mirror in play.mirrors], asked)
