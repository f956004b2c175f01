"""Tests for `pacserve.metrics.requests`."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.metrics.definitions import DELIVERED, LOOKUP, REQUESTS, SAVED, SERVED, TRANSFER, Definition, Distribution
from pacserve.metrics.requests import FRONTS, LOOKUP_BOUNDS, TRANSFER_BOUNDS, Outcome, RequestCounts
from pacserve.report.origins import Origin
from pacserve.web.witness import Answered

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"


def answered(**fields: Any) -> Answered:
    """A package from the cache, but for what is given."""
    given_ = {
        "front": "request",
        "method": "GET",
        "target": f"/request/core/x86_64/{NAME}".encode(),
        "client": ip_address("127.0.0.1"),
        "status": 200,
        "origin": "cache",
        "size": 100,
        "seconds": 0.25,
    }
    return Answered(**(given_ | fields))


def to_peer(**fields: Any) -> Answered:
    """A redirect to a peer, but for what is given."""
    return answered(**({"status": 307, "origin": "peer 10.0.0.3:15678", "redirected": True, "seconds": 0.0007} | fields))


def counts_of(*requests: Answered) -> RequestCounts:
    """What there is after these requests."""
    counts = RequestCounts()
    for request in requests:
        counts.answered(request)
    return counts


def samples(counts: RequestCounts, definition: Definition) -> dict[tuple[str, ...], Any]:
    """The values of a metric, without those that are zero."""
    family = next(family for family in counts.families() if family.definition is definition)
    return {labels: value for labels, value in family.samples.items() if value}


class RequestTests(SynchronousTestCase):
    """How many requests there were."""

    def outcome(self, request: Answered) -> tuple[str, ...]:
        """The labels of a request."""
        (labels,) = samples(counts_of(request), REQUESTS)
        return labels

    def test_outcomes(self) -> None:
        """Each request is counted once, under what became of it."""
        for request, outcome in (
            (answered(), "sent"),
            (answered(status=206), "sent"),
            (answered(status=304, size=0), "unchanged"),
            (answered(method="HEAD", size=0), "looked"),
            (answered(complete=False), "cut"),
            (to_peer(), "redirected"),
            (to_peer(method="HEAD"), "redirected"),
            (answered(status=404), "absent"),
            (answered(status=403), "refused"),
            (answered(status=405), "refused"),
            (answered(status=416), "refused"),
            (answered(status=421), "refused"),
            (answered(status=504), "uncertain"),
            (answered(status=500), "failed"),
            (answered(status=503), "failed"),
        ):
            self.assertEqual(self.outcome(request)[2], outcome, request)

    def test_origins(self) -> None:
        """The origin is a kind: a host, a mirror or a reason is never named, and an error comes from nowhere."""
        for text, status, origin in (
            ("cache", 200, "cache"),
            ("peer 10.0.0.3:15678", 307, "peers"),
            ("peer 10.0.0.3:15678, relayed", 200, "peers"),
            ("mirror https://example.org/core/os/x86_64", 307, "mirrors"),
            ("mirrors https://a 7 bytes, peer 10.0.0.3:15678 5 bytes, downloaded", 200, "mirrors"),
            ("peers 10.0.0.3:15678 7 bytes, mirror https://a 5 bytes, relayed", 200, "peers"),
            ("downloaded", 200, "mirrors"),
            ("", 200, "none"),
            ("mirror https://example.org: timed out", 504, "none"),
        ):
            self.assertEqual(self.outcome(answered(origin=text, status=status))[1], origin)

    def test_fronts(self) -> None:
        """All parts of the status page are one front, and whatever is none of pacserve's is another."""
        for front, label in (("", "page"), ("status", "page"), ("why", "page"), ("metrics", "metrics"), ("info", "info"), ("wp-admin", "other")):
            self.assertEqual(self.outcome(answered(front=front, origin=""))[0], label)

    def test_apt(self) -> None:
        """apt is told by 503 that no mirror could say, as pacman is by 504."""
        for status, outcome in (
            (200, "sent"),
            (206, "sent"),
            (304, "unchanged"),
            (404, "absent"),
            (403, "refused"),
            (503, "uncertain"),
            (500, "failed"),
        ):
            request = answered(front="apt", status=status, origin="mirror http://deb.example, sent through")
            self.assertEqual(self.outcome(request), ("apt", "mirrors" if status < 400 else "none", outcome))

    def test_together(self) -> None:
        """Requests of one kind are counted together, whatever their status was."""
        counts = counts_of(answered(), answered(status=206), answered(status=403), answered(status=405))
        self.assertEqual(samples(counts, REQUESTS), {("request", "cache", "sent"): 2, ("request", "none", "refused"): 2})

    @given(
        st.lists(
            st.builds(
                Answered,
                front=st.text(max_size=20) | st.sampled_from(["request", "package", ""]),
                method=st.sampled_from(["GET", "HEAD", "POST"]) | st.text(max_size=8),
                target=st.binary(max_size=40),
                client=st.ip_addresses(),
                status=st.integers(100, 599),
                origin=st.text(max_size=20) | st.sampled_from(["cache", "peer x", "mirror y", "downloaded, z"]),
                size=st.none() | st.integers(0, 1 << 50),
                seconds=st.floats(0, 1e6),
                redirected=st.booleans(),
                complete=st.booleans(),
                quiet=st.booleans(),
            ),
            max_size=20,
        )
    )
    def test_labels_are_bounded(self, requests: list[Answered]) -> None:
        """Whatever is asked for by whomever, every value of a label is one of a few."""
        counts = counts_of(*requests)
        origins = {origin.value for origin in Origin}
        allowed = [set(FRONTS), origins, {outcome.value for outcome in Outcome}]
        for labels in samples(counts, REQUESTS):
            for value, values in zip(labels, allowed, strict=True):
                self.assertIn(value, values)
        for labels in samples(counts, DELIVERED):
            self.assertIn(labels[0], origins)
            self.assertIn(labels[1], ("sent", "redirected"))
        for labels in samples(counts, TRANSFER):
            self.assertTrue(labels[0] in FRONTS and labels[1] in origins)
        self.assertEqual(sum(samples(counts, REQUESTS).values()), len(requests))


class BytesTests(SynchronousTestCase):
    """How many bytes went where."""

    def test_delivered(self) -> None:
        """Bytes that were sent are told from those that pacman was sent elsewhere for."""
        counts = counts_of(
            answered(),
            to_peer(size=30),
            to_peer(origin="mirror https://example.org", size=7),
            answered(origin="peer 10.0.0.3:15678, relayed", size=5),
            answered(origin="mirror http://a, downloaded", size=2),
        )
        expected = {
            ("cache", "sent"): 100,
            ("peers", "redirected"): 30,
            ("peers", "sent"): 5,
            ("mirrors", "redirected"): 7,
            ("mirrors", "sent"): 2,
        }
        self.assertEqual(samples(counts, DELIVERED), expected)

    def test_apt(self) -> None:
        """Bytes that apt was sent are delivered to this host, as those of pacman are."""
        counts = counts_of(
            answered(front="apt"),
            answered(front="apt", origin="peer 10.0.0.3:15678, relayed", size=5),
            answered(front="apt", origin="mirror http://deb.example, sent through", size=2),
        )
        self.assertEqual(samples(counts, DELIVERED), {("cache", "sent"): 100, ("peers", "sent"): 5, ("mirrors", "sent"): 2})
        self.assertEqual(samples(counts, SAVED), {(): 105})
        self.assertEqual(samples(counts, SERVED), {})

    def test_saved(self) -> None:
        """What a cache or a peer gave did not come over the WAN."""
        counts = counts_of(answered(), to_peer(size=30), answered(origin="mirror http://a, downloaded", size=2), to_peer(origin="mirror x", size=7))
        self.assertEqual(samples(counts, SAVED), {(): 130})

    def test_cut(self) -> None:
        """Of a transfer that was cut, the bytes before the cut count."""
        self.assertEqual(samples(counts_of(answered(complete=False, size=40)), DELIVERED), {("cache", "sent"): 40})

    def test_nothing_carried(self) -> None:
        """A HEAD, an error, a redirect that did not arrive, a size that nobody stated and a page carry no bytes of files."""
        counts = counts_of(
            answered(method="HEAD"),
            to_peer(method="HEAD"),
            to_peer(complete=False),
            answered(status=404, origin=""),
            to_peer(size=None),
            answered(front="status", origin=""),
            answered(front="info", origin=""),
        )
        self.assertEqual((samples(counts, DELIVERED), samples(counts, SAVED), samples(counts, SERVED)), ({}, {}, {}))

    def test_served(self) -> None:
        """What peers are sent is no delivery to this host's pacman."""
        counts = counts_of(answered(front="package"), answered(front="fetch", origin="mirror http://a, downloaded", size=3))
        self.assertEqual(samples(counts, SERVED), {("package",): 100, ("fetch",): 3})
        self.assertEqual(samples(counts, DELIVERED), {})

    def test_from_the_start(self) -> None:
        """Counters of bytes are there before the first request."""
        families = {family.definition: family.samples for family in RequestCounts().families()}
        self.assertEqual(set(families[SAVED].values()) | set(families[SERVED].values()) | set(families[DELIVERED].values()), {0})
        self.assertEqual(len(families[DELIVERED]), 5)


class TimeTests(SynchronousTestCase):
    """How long requests took."""

    def distribution(self, definition: Definition, *requests: Answered) -> dict[tuple[str, ...], Distribution]:
        """The values of a histogram."""
        return samples(counts_of(*requests), definition)

    def test_lookup(self) -> None:
        """Redirects, and searches in vain, are lookups; they are told apart by where they led."""
        found = self.distribution(LOOKUP, to_peer(), to_peer(seconds=0.0006), answered(status=404, origin="", seconds=9.0))
        self.assertEqual(set(found), {("peers",), ("none",)})
        self.assertEqual(found["peers",].counts[:3], [0, 2, 0])
        self.assertAlmostEqual(found["peers",].total, 0.0013)
        self.assertEqual(found["none",].counts, [0] * len(LOOKUP_BOUNDS) + [1])

    def test_apt(self) -> None:
        """A search in vain for apt is a lookup, and what was sent to its end a transfer of its own."""
        requests = (
            answered(front="apt", status=404, origin=""),
            answered(front="apt", status=503, origin=""),
            answered(front="apt", status=504, origin=""),
        )
        self.assertEqual(sum(self.distribution(LOOKUP, *requests)["none",].counts), 2)
        self.assertEqual(set(self.distribution(TRANSFER, answered(front="apt"))), {("apt", "cache")})

    def test_bound(self) -> None:
        """A value on a bound is below it, as Prometheus has it."""
        found = self.distribution(LOOKUP, to_peer(seconds=LOOKUP_BOUNDS[0]))
        self.assertEqual(found["peers",].counts[:2], [1, 0])

    def test_transfer(self) -> None:
        """Files that were sent to the end are transfers, those of several statuses together."""
        found = self.distribution(TRANSFER, answered(), answered(status=206, seconds=0.3), answered(front="package", seconds=1e4))
        self.assertEqual(sum(found["request", "cache"].counts), 2)
        self.assertAlmostEqual(found["request", "cache"].total, 0.55)
        self.assertEqual(found["package", "cache"].counts, [0] * len(TRANSFER_BOUNDS) + [1])

    def test_neither(self) -> None:
        """What was cut, refused, asked by HEAD or is no file is neither."""
        others = (answered(complete=False), answered(status=403), answered(method="HEAD"), answered(status=304), answered(front="", origin=""))
        self.assertEqual((self.distribution(LOOKUP, *others), self.distribution(TRANSFER, *others)), ({}, {}))
