"""Tests for `pacserve.metrics.exposition`."""

from __future__ import annotations

import random
import shutil
import subprocess
from ipaddress import ip_address
from itertools import product
from unittest import skipUnless

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import IntegrityError
from pacserve.metrics.definitions import ALL, OF_EACH_PEER
from pacserve.metrics.requests import FRONTS
from pacserve.web.witness import Answered
from tests.unit.metrics.complete import Everything
from tests.unit.metrics.statuses import peer, status
from tests.unit.metrics.test_requests import answered, to_peer


class ExpositionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.told = Everything()

    def values(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample."""
        return {(sample.name, frozenset(sample.labels.items())): sample.value for family in parse(self.told.text()[0]) for sample in family.samples}

    def test_all(self) -> None:
        """Every metric that is defined is told of, with its type and its labels, and none besides."""
        expected = {definition.name.removesuffix("_total"): (definition.kind.value, definition.text) for definition in ALL}
        families = list(parse(self.told.text()[0]))
        self.assertEqual({family.name.removesuffix("_total"): (family.type, family.documentation) for family in families}, expected)
        labels = {definition.name.removesuffix("_total"): set(definition.labels) for definition in ALL}
        for family in families:
            for sample in family.samples:
                self.assertEqual(set(sample.labels) - {"le"}, labels[family.name.removesuffix("_total")], sample)

    def test_values(self) -> None:
        """Counters and gauges have the values that were counted."""
        values = self.values()
        self.assertEqual(values["pacserve_served_bytes_total", frozenset({("front", "package")})], 100)
        self.assertEqual(values["pacserve_errors_total", frozenset({("class", "integrity")})], 1)
        self.assertEqual(values["pacserve_inventory_files", frozenset()], 2)

    def test_histogram(self) -> None:
        """Buckets count everything up to their bounds; sum and count are of all values."""
        values = self.values()
        peers = ("origin", "peers")
        self.assertEqual(values["pacserve_lookup_seconds_bucket", frozenset({peers, ("le", "0.0005")})], 0)
        self.assertEqual(values["pacserve_lookup_seconds_bucket", frozenset({peers, ("le", "0.001")})], 1)
        self.assertEqual(values["pacserve_lookup_seconds_bucket", frozenset({peers, ("le", "+Inf")})], 1)
        self.assertEqual(values["pacserve_lookup_seconds_count", frozenset({peers})], 1)
        self.assertAlmostEqual(values["pacserve_lookup_seconds_sum", frozenset({peers})], 0.0007)

    def test_as_it_is_now(self) -> None:
        """Each text is of its own moment."""
        before = self.values()["pacserve_errors_total", frozenset({("class", "integrity")})]
        self.told.errors.noted(IntegrityError("x"))
        self.assertEqual(self.values()["pacserve_errors_total", frozenset({("class", "integrity")})], before + 1)

    def test_openmetrics(self) -> None:
        """OpenMetrics is given where it is asked for, and is right by a strict reader."""
        asked = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
        text, media_type = self.told.text(asked)
        self.assertTrue(media_type.startswith("application/openmetrics-text;"), media_type)
        self.assertEqual(len(list(parse_openmetrics(text))), len(ALL))

    def test_classic(self) -> None:
        """Everybody else gets the classic text."""
        for accept in ("", "*/*", "text/html", "text/plain;version=0.0.4"):
            self.assertTrue(self.told.text(accept)[1].startswith("text/plain; version=0.0.4"))

    @given(st.text() | st.from_regex(r"application/openmetrics-text; ?(version|escaping)=.{0,8}", fullmatch=True))
    def test_any_accept(self, accept: str) -> None:
        """Whatever a client accepts, it gets one of the two, and nothing of what it said comes back."""
        media_type = self.told.text(accept)[1]
        self.assertIn(media_type.partition(";")[0], ("text/plain", "application/openmetrics-text"))
        self.assertIn(media_type, (self.told.text("")[1], self.told.text("application/openmetrics-text")[1]))

    def test_peers(self) -> None:
        """Peers by address are told of only where that is wanted."""
        names = {family.name for family in parse(Everything(peers=False).text()[0])}
        for definition in OF_EACH_PEER:
            self.assertNotIn(definition.name.removesuffix("_total"), names)

    def test_hostile_address(self) -> None:
        """An address of anybody's making neither ends its line nor makes the text unreadable."""
        for address in ('"} 1\npacserve_evil 1', "\\", "a\nb", "ü", "\x00"):
            told = Everything(state=status(peer(address)))
            families = {family.name: family for family in parse(told.text()[0])}
            self.assertNotIn("pacserve_evil", families)
            self.assertEqual(families["pacserve_peer_used"].samples[0].labels["address"], address)

    def test_cardinality(self) -> None:
        """Ten thousand hostile requests make no new series."""
        draw = random.Random(5)
        for request in (answered(status=404, origin=""), answered(front="other", status=404, origin=""), to_peer()):
            self.told.requests.answered(request)
        before = set(self.values())
        for number in range(10_000):
            noise = draw.randbytes(30)
            name = noise.decode("latin-1")
            self.told.requests.answered(
                Answered(
                    front=draw.choice(["request", name]),
                    method=draw.choice(["GET", "POST", name]),
                    target=b"/request/core/x86_64/" + noise,
                    client=ip_address(number),
                    status=404,
                    origin=f"peer {name}: {number}",
                    size=number,
                    seconds=number / 1000,
                )
            )
            self.told.requests.answered(to_peer(target=noise, client=ip_address(number), origin=f"peer {name}", size=number))
        self.assertEqual(set(self.values()), before)

    def test_most(self) -> None:
        """Whatever happens there are no more series than the documentation says."""
        told = Everything(peers=False)
        fronts, origins, statuses = (*FRONTS, ""), ("cache", "peer x", "mirror y", ""), (200, 206, 304, 307, 403, 404, 500, 503, 504)
        for front, origin, status_, method, complete in product(fronts, origins, statuses, ("GET", "HEAD"), (True, False)):
            told.requests.answered(answered(front=front, origin=origin, status=status_, method=method, complete=complete, redirected=status_ == 307))
        self.assertLessEqual(sum(len(family.samples) for family in parse(told.text()[0])), 510)

    @skipUnless(shutil.which("promtool"), "promtool is not there")
    def test_promtool(self) -> None:
        """Prometheus's own tool finds nothing to complain about."""
        done = subprocess.run(["promtool", "check", "metrics"], input=self.told.text()[0], check=False, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
