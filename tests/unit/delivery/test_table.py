"""Tests for `pacserve.delivery.table`."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from pacserve.delivery.table import Circumstances, Delivery, Hits, Misses, checks, decide
from pacserve.packages.files import FileKind
from pacserve.sources.locations import Holder, Offer

PEER, UNREACHABLE = Offer(Holder.PEER), Offer(Holder.PEER, sendable=False)
MIRROR, UNASKED = Offer(Holder.MIRROR), Offer(Holder.UNASKED)
TRUTH = (False, True)


def everything() -> Iterator[tuple[Offer, Circumstances]]:
    """All offers in all circumstances."""
    offers = [Offer(holder, *facts) for holder in Holder for facts in product(TRUTH, TRUTH, TRUTH)]
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
            if delivery in (Delivery.DOWNLOAD, Delivery.RELAY):
                self.assertTrue(now.spool)
            if delivery is Delivery.RELAY:
                self.assertTrue(now.digest and offer.holder is Holder.PEER)
            if delivery is Delivery.DOWNLOAD:
                self.assertFalse(now.head_only or now.far_ahead)
            self.assertRegex(decision.reason, r"\A[ -~]{10,120}\Z")

    def test_explicit_options(self) -> None:
        """Who says redirect is never relayed a peer's file nor made to download; who says relay is never sent to a peer."""
        for offer, now in everything():
            delivery = decide(offer, now).delivery
            if now.hits is Hits.REDIRECT:
                self.assertIsNot(delivery, Delivery.RELAY)
            if now.hits is Hits.RELAY and offer.holder is Holder.PEER:
                self.assertIsNot(delivery, Delivery.REDIRECT)
            if now.misses is Misses.REDIRECT:
                self.assertIsNot(delivery, Delivery.DOWNLOAD)

    def test_signatures_of_undecided_mirrors(self) -> None:
        """A signature is asked of no mirror that said neither yes nor no: pacman takes an error there for the end of the transaction."""
        for offer, now in everything():
            if now.signature and offer.holder is Holder.MIRROR and not offer.conclusive:
                self.assertIs(decide(offer, now).delivery, Delivery.NEXT)


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
            self.assertFalse(checks(lacking.hits, digest=lacking.digest, spool=lacking.spool))
        self.assertTrue(checks(self.now.hits, digest=self.now.digest, spool=self.now.spool))

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
