"""Tests for `pacserve.resolver.policy`."""

from ipaddress import IPv4Address

from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError
from pacserve.packages.files import FileKind, FileRequest
from pacserve.resolver.policy import in_order
from pacserve.sources.candidates import Rank, Wanted
from tests.fakes.interfaces import Choice, Source

WANTED = Wanted(FileRequest("core", "x86_64", "zlib-1.3-1-x86_64.pkg.tar.zst", FileKind.PACKAGE), None, IPv4Address("127.0.0.1"))


def choices(*ranks: Rank) -> list[Choice]:
    return [Choice(rank, AbsentError()) for rank in ranks]


class OrderTests(SynchronousTestCase):
    def test_ranks(self) -> None:
        """Caches come first, then peers that hold the file, then those that may, then mirrors; whatever the order of the sources."""
        mirrors, peers, caches = choices(Rank.MIRRORS), choices(Rank.PEERS_UNKNOWN, Rank.PEER), choices(Rank.CACHE)
        order = list(in_order([Source(*mirrors), Source(*peers), Source(*caches)], WANTED))
        self.assertEqual(order, [*caches, peers[1], peers[0], *mirrors])
        self.assertEqual(list(in_order([], WANTED)), [])
        self.assertEqual(list(in_order([Source()], WANTED)), [])

    def test_stays(self) -> None:
        """Candidates of one rank stay in the order of the sources, and within a source in its own."""
        first, second = choices(Rank.PEER, Rank.PEER, Rank.PEERS_UNKNOWN), choices(Rank.PEER, Rank.PEER)
        self.assertEqual(list(in_order([Source(*first), Source(*second)], WANTED)), [*first[:2], *second, first[2]])

    def test_interleaved(self) -> None:
        """A source whose candidates differ in rank has others' in between."""
        one, other = choices(Rank.CACHE, Rank.MIRRORS), choices(Rank.PEER)
        self.assertEqual(list(in_order([Source(*one), Source(*other)], WANTED)), [one[0], other[0], one[1]])

    def test_asked_late(self) -> None:
        """A source is not asked as long as a better candidate than its best is left."""
        cached, peer = Source(*choices(Rank.CACHE)), Source(*choices(Rank.PEER, Rank.PEERS_UNKNOWN))
        mirrors = Source(*choices(Rank.MIRRORS))
        asked = [(len(peer.wanted), len(mirrors.wanted)) for _ in in_order([cached, peer, mirrors], WANTED)]
        self.assertEqual(asked, [(0, 0), (1, 0), (1, 0), (1, 1)])
