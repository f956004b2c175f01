"""Tests for `pacserve.delivery.table`."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from pacserve.delivery.table import Circumstances, Delivery, Hits, Misses, checks, decide, is_small
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.locations import Holder, Offer

PEER, UNREACHABLE = Offer(Holder.PEER), Offer(Holder.PEER, sendable=False)
MIRROR, UNASKED = Offer(Holder.MIRROR), Offer(Holder.UNASKED)
TRUTH = (False, True)


def everything() -> Iterator[tuple[Offer, Circumstances]]:
    """All offers in all circumstances."""
    offers = [Offer(holder, *facts) for holder in Holder for facts in product(*[TRUTH] * 4)]
    for offer, misses, hits, facts in product(offers, Misses, Hits, list(product(*[TRUTH] * 7))):
        yield offer, Circumstances(misses, hits, FileKind.PACKAGE, *facts)


def deliveries(offer: Offer, *circumstances: Circumstances) -> list[Delivery]:
    """How an offer is handed over in some circumstances."""
    return [decide(offer, now).delivery for now in circumstances]


class EverythingTests(SynchronousTestCase):
    """What holds in all circumstances."""

    def test_promises(self) -> None:
        """No password is shown, no client is sent where it can't go, nothing is downloaded without a spool, nothing unchecked is called relayed."""
        for offer, now in everything():
            decision = decide(offer, now)
            delivery = decision.delivery
            if delivery is Delivery.REDIRECT:
                self.assertIn(offer.holder, (Holder.PEER, Holder.MIRROR))
                self.assertFalse(offer.holder is Holder.MIRROR and offer.secret)
                self.assertTrue(offer.holder is Holder.MIRROR or offer.sendable)
            if delivery is Delivery.DOWNLOAD or (delivery is Delivery.RELAY and not now.small):
                self.assertTrue(now.spool)
            if delivery is Delivery.RELAY:
                self.assertTrue((now.digest or now.small) and offer.holder is Holder.PEER)
            if delivery is Delivery.DOWNLOAD:
                self.assertFalse(now.head_only or now.far_ahead)
            self.assertRegex(decision.reason, r"\A[ -~]{10,120}\Z")

    def test_explicit_options(self) -> None:
        """Who says redirect is never relayed a peer's file nor made to download; who says relay is never sent to a peer."""
        for offer, now in everything():
            delivery = decide(offer, now).delivery
            if now.hits is Hits.REDIRECT and not now.small:
                self.assertIsNot(delivery, Delivery.RELAY)
            if now.hits is Hits.RELAY and offer.holder is Holder.PEER:
                self.assertIsNot(delivery, Delivery.REDIRECT)
            if now.misses is Misses.REDIRECT:
                self.assertIsNot(delivery, Delivery.DOWNLOAD)

    def test_small(self) -> None:
        """A small file is never redirected in any mode, neither where that is known before nor where only the mirror states it."""
        for offer, now in everything():
            if now.small or (offer.small and offer.holder is Holder.MIRROR):
                self.assertIsNot(decide(offer, now).delivery, Delivery.REDIRECT)


class DefaultTests(SynchronousTestCase):
    """What the default does."""

    now = Circumstances(Misses.AUTO, Hits.AUTO)

    def test_misses(self) -> None:
        """With a peer that can be used what nobody has is downloaded for all; alone, or without a spool, pacman is redirected."""
        alone, full = replace(self.now, peers=False), replace(self.now, spool=False)
        self.assertEqual(deliveries(UNASKED, self.now, alone, full), [Delivery.DOWNLOAD, Delivery.NEXT, Delivery.NEXT])
        self.assertEqual(deliveries(Offer(Holder.INDEX), self.now, alone, full), [Delivery.FILE, Delivery.NEXT, Delivery.NEXT])
        self.assertEqual(deliveries(MIRROR, self.now, alone, full), [Delivery.REDIRECT] * 3)

    def test_hits(self) -> None:
        """pacman is sent to a peer; when it comes back, or can't be sent there, it gets the file checked."""
        self.assertEqual(deliveries(PEER, self.now, replace(self.now, returned=True)), [Delivery.REDIRECT, Delivery.RELAY])
        self.assertEqual(deliveries(UNREACHABLE, self.now), [Delivery.RELAY])

    def test_nothing_to_check_with(self) -> None:
        """What can't be checked comes from a peer by redirect or not at all; the order says that it is the last resort then."""
        for lacking in (replace(self.now, digest=False), replace(self.now, spool=False)):
            self.assertEqual(deliveries(PEER, lacking, replace(lacking, returned=True)), [Delivery.REDIRECT, Delivery.REDIRECT])
            self.assertEqual(deliveries(UNREACHABLE, lacking), [Delivery.NEXT])
            self.assertFalse(checks(lacking.hits, digest=lacking.digest, spool=lacking.spool, small=False))
        self.assertTrue(checks(self.now.hits, digest=self.now.digest, spool=self.now.spool, small=False))
        self.assertEqual([checks(Hits.REDIRECT, digest=digest, spool=False, small=True) for digest in TRUTH], [False, True])

    def test_undecided_mirror(self) -> None:
        """A package or a database is asked of a mirror that said neither yes nor no when nobody said yes."""
        self.assertEqual(deliveries(Offer(Holder.MIRROR, conclusive=False), self.now), [Delivery.REDIRECT])

    def test_password(self) -> None:
        """The files of a mirror with a password in its URL are sent through."""
        self.assertEqual(deliveries(Offer(Holder.MIRROR, secret=True), self.now, replace(self.now, spool=False)), [Delivery.SEND_THROUGH] * 2)

    def test_running(self) -> None:
        """A download that runs is joined, unless the client would have to wait for long."""
        running = Offer(Holder.RUNNING)
        self.assertEqual(deliveries(running, self.now, replace(self.now, far_ahead=True)), [Delivery.JOIN, Delivery.NEXT])

    def test_small_packages_of_peers(self) -> None:
        """What the user wants to have checked, and nothing can be checked with, does not come from a peer, however small it is."""
        small = replace(self.now, small=True, digest=False, hits=Hits.RELAY)
        self.assertEqual(deliveries(PEER, small, replace(small, kind=FileKind.SIGNATURE)), [Delivery.NEXT, Delivery.RELAY])

    def test_is_small(self) -> None:
        """Signatures are small, and what is stated to have 16 KiB."""
        request = FileRequest("core", "x86_64", "core.db", FileKind.DATABASE)
        self.assertTrue(is_small(replace(request, name="core.db.sig"), None))
        self.assertEqual([is_small(request, size) for size in (None, 1, 16384, 16385)], [False, True, True, False])
