"""Tests for `pacserve.http.via`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.http.via import names_pacserve, via_value

OWN = via_value("0123abcd")


class ViaTests(SynchronousTestCase):
    def test_own_value(self) -> None:
        """What one pacserve says of itself, another knows."""
        self.assertEqual(OWN, "1.1 pacserve-0123abcd")
        self.assertTrue(names_pacserve(OWN))

    def test_tolerated(self) -> None:
        """A pacserve is found among other hops, with comments, in any case, behind any protocol and behind none."""
        for value in (
            f"1.0 fred, {OWN}",
            f"{OWN}, 1.1 p.example.net",
            f"1.1 squid (a, b (c) \\) d),{OWN} (x)",
            "1.1 PacServe-1",
            "HTTP/1.1 pacserve-1:15678",
            "pacserve-1",
            "1.1\tpacserve-1",
            " , ,1.1 pacserve-1",
        ):
            self.assertTrue(names_pacserve(value), value)

    def test_others(self) -> None:
        """Other hops, and a pacserve that only a comment names, are none."""
        for value in ("", ",", "1.1 squid", "1.1 notpacserve-1", "1.1 x.pacserve-1", "1.1 squid (pacserve-1)", "1.1 squid (1.1 pacserve-1, y)", "("):
            self.assertFalse(names_pacserve(value), value)

    @given(st.text(), st.text())
    def test_any_text(self, before: str, after: str) -> None:
        """Whatever stands around it is survived, and hides a pacserve only as a comment."""
        found = names_pacserve(f"{before},{OWN},{after}")
        self.assertTrue(found or "(" in before)
