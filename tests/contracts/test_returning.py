"""A client that comes back for a file: all sources, in all circumstances that decide how it is served then."""

from __future__ import annotations

import dataclasses
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.delivery.table import Hits, Misses
from pacserve.web.answers import Answer, RedirectAnswer, StreamAnswer
from pacserve.web.origins import source_text
from tests.contracts.test_why import DATA, REQUEST, THIS_HOST, House, Situation
from tests.fakes.network import Line, Page

FIRST = "peer 10.0.0.1:15678"
STALE = bytes(len(DATA))
# What leaves nothing to check with: no digest, no spool, and the user's word.
UNCHECKED = ((Situation(peers=1, digest=False), Hits.AUTO), (Situation(peers=1, spool=False), Hits.AUTO), (Situation(peers=1), Hits.REDIRECT))
CHECKED = (Situation(peers=1), Hits.AUTO)


class ReturningContract(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.houses = 0

    def house(self, situation: Situation, misses: Misses, hits: Hits) -> House:
        """A host in that situation."""
        self.houses += 1
        self.here = self.folder / str(self.houses)
        self.here.mkdir()
        return House(situation, misses, hits, self.here, self.addCleanup)

    def away(self, house: House) -> None:
        """The mirrors are out of reach from now on."""
        house.network.hosts.update({"a.example": Line.REFUSES, "b.example": Line.REFUSES})

    def ask(self, house: House) -> str:
        """Where this host was sent for the file, or where the bytes came from that it was given."""
        house.clock.advance(20)  # a yes holds no more, and what was downloaded is closed
        for file in (self.here / "spool" / "pkg").iterdir():
            file.unlink()
        pending: Deferred[Answer] = Deferred.fromCoroutine(house.delivery.deliver(REQUEST, THIS_HOST))
        for _ in range(200):
            if pending.called:
                break
            house.clock.advance(0.05)
        answer = self.successResultOf(pending)
        if isinstance(answer, RedirectAnswer):
            return f"to {answer.origin}"
        assert isinstance(answer, StreamAnswer)
        self.assertEqual(self.read(house, answer), DATA)
        return f"from {source_text(answer.file.shares)}"

    def read(self, house: House, answer: StreamAnswer) -> bytes:
        """What a client gets of a file that arrives."""
        reader, data = answer.reader or answer.file.reader(), b""
        while len(data) < len(DATA):
            waiting = Deferred.fromCoroutine(reader.more(len(data)))
            for _ in range(200):
                if waiting.called:
                    break
                house.clock.advance(0.05)
            if not self.successResultOf(waiting):
                break
            data += reader.read(len(data), 1 << 20)
        reader.close()
        return data

    def test_healthy_peer(self) -> None:
        """A healthy peer to which a client was sent is not lost to it: what it gives is checked, with the mirrors and without them."""
        for misses, gone in product(Misses, (False, True)):
            house = self.house(*with_hits(CHECKED, misses))
            self.assertEqual(self.ask(house), f"to {FIRST}")
            if gone:
                self.away(house)
            self.assertEqual([self.ask(house) for _ in range(3)], [f"from {FIRST}"] * 3, (misses, gone))

    def test_nothing_to_check_with(self) -> None:
        """Where nothing can be checked a client that comes back has the file from a mirror, and while none can be reached from that peer."""
        for case, misses in product(UNCHECKED, Misses):
            house = self.house(*with_hits(case, misses))
            self.assertEqual(self.ask(house), f"to {FIRST}")
            self.assertNotIn(FIRST, self.ask(house))
            self.away(house)
            self.assertEqual([self.ask(house) for _ in range(2)], [f"to {FIRST}"] * 2, (case, misses))

    def test_last_of_the_peers(self) -> None:
        """Of several peers those to which the client was sent come last, checked or not."""
        for case, misses in product((CHECKED, *UNCHECKED), Misses):
            house = self.house(*with_hits(case, misses, peers=4))
            self.away(house)
            went = [self.ask(house).partition(" ")[2] for _ in range(2)]
            self.assertEqual(len(set(went)), 2, (case, misses))
            for peer in {f"peer 10.0.0.{number}:15678" for number in range(1, 5)} - set(went):
                house.network.hosts[peer.partition(" ")[2]] = Line.REFUSES
            house.clock.advance(60)
            self.assertIn(self.ask(house).partition(" ")[2], went)

    def test_stale_holders(self) -> None:
        """However many peers hold a former file of that name and size, one request at most is answered with it."""
        for case, misses in product((CHECKED, *UNCHECKED), Misses):
            house = self.house(*with_hits(case, misses, peers=5))
            for number in range(1, 6):
                house.network.hosts[f"10.0.0.{number}:15678"] = Page(STALE)
            went = [self.ask(house) for _ in range(6)]
            self.assertIn("to peer 10.0.0.", went[0])
            self.assertFalse([one for one in went[1:] if "peer" in one], (case, misses, went))


def with_hits(case: tuple[Situation, Hits], misses: Misses, peers: int = 1) -> tuple[Situation, Misses, Hits]:
    """What a house is made of."""
    situation, hits = case
    return dataclasses.replace(situation, peers=peers), misses, hits
