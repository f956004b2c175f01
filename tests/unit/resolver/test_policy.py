"""Tests for `pacserve.resolver.policy`."""

from ipaddress import IPv4Address

from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError
from pacserve.packages.files import FileKind, FileRequest
from pacserve.resolver.policy import all_considered, in_order
from pacserve.sources.candidates import Candidate, Rank, Wanted
from tests.fakes.interfaces import Choice, Source

WANTED = Wanted(FileRequest("core", "x86_64", "zlib-1.3-1-x86_64.pkg.tar.zst", FileKind.PACKAGE), None, IPv4Address("127.0.0.1"))


def choices(*ranks: Rank) -> list[Choice]:
    return [Choice(rank, AbsentError()) for rank in ranks]


def candidates(*chosen: Choice) -> list[Candidate]:
    return [choice.candidate for choice in chosen]


class OrderTests(SynchronousTestCase):
    def test_ranks(self) -> None:
        """Caches come first, then peers that hold the file, then those that may, then mirrors; whatever the order of the sources."""
        mirrors, peers, caches = choices(Rank.MIRRORS), choices(Rank.PEERS_UNKNOWN, Rank.PEERS), choices(Rank.CACHE)
        order = list(in_order([Source(*mirrors), Source(*peers), Source(*caches)], WANTED))
        self.assertEqual(order, candidates(*caches, peers[1], peers[0], *mirrors))
        self.assertEqual(list(in_order([], WANTED)), [])
        self.assertEqual(list(in_order([Source()], WANTED)), [])

    def test_stays(self) -> None:
        """Candidates of one rank stay in the order of the sources, and within a source in its own."""
        first, second = choices(Rank.PEERS, Rank.PEERS, Rank.PEERS_UNKNOWN), choices(Rank.PEERS, Rank.PEERS)
        self.assertEqual(list(in_order([Source(*first), Source(*second)], WANTED)), candidates(*first[:2], *second, first[2]))

    def test_interleaved(self) -> None:
        """A source whose candidates differ in rank has others' in between."""
        one, other = choices(Rank.CACHE, Rank.MIRRORS), choices(Rank.PEERS)
        self.assertEqual(list(in_order([Source(*one), Source(*other)], WANTED)), candidates(one[0], other[0], one[1]))

    def test_disappointing_peers(self) -> None:
        """Peers that disappointed come before the mirrors where their bytes are checked, and after them where nobody could check them."""
        again, last, mirrors = choices(Rank.PEERS_AGAIN), choices(Rank.PEERS_LAST), choices(Rank.MIRRORS)
        order = list(in_order([Source(*mirrors), Source(*again, *last)], WANTED))
        self.assertEqual(order, candidates(*again, *mirrors, *last))

    def test_considered(self) -> None:
        """All that is considered comes in the order in which it is tried."""
        sources = [Source(*choices(Rank.MIRRORS)), Source(*choices(Rank.PEERS, Rank.PEERS_LAST)), Source(*choices(Rank.CACHE))]
        ranks = [considered.rank for considered in all_considered(sources, WANTED)]
        self.assertEqual(ranks, [candidate.rank for candidate in in_order(sources, WANTED)])

    def test_asked_late(self) -> None:
        """A source is not asked as long as a better candidate than its best is left."""
        cached, peer = Source(*choices(Rank.CACHE)), Source(*choices(Rank.PEERS, Rank.PEERS_UNKNOWN))
        mirrors = Source(*choices(Rank.MIRRORS))
        asked = [(len(peer.wanted), len(mirrors.wanted)) for _ in in_order([cached, peer, mirrors], WANTED)]
        self.assertEqual(asked, [(0, 0), (1, 0), (1, 0), (1, 1)])
