"""Tests for `pacserve.network.names`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import parse_address
from pacserve.network.names import LONGEST_TOLD_NAME, told_name


class ToldNameTests(SynchronousTestCase):
    def test_told(self) -> None:
        """A host name is told in lower case, whole."""
        for text, told in (
            ("nas", "nas"),
            ("NAS.fritz.box", "nas.fritz.box"),
            ("nas.lan..", "nas.lan"),
            ("my_laptop-2", "my_laptop-2"),
            ("a" * 63, "a" * 63),
        ):
            self.assertEqual(told_name(text), told)

    def test_not_told(self) -> None:
        """A name that is none, too long, the one of a machine without a name, or like an address is not told."""
        for text in (
            "",
            "-a",
            "a b",
            "a\n",
            "é",
            "localhost",
            "LOCALHOST.localdomain",
            "(none)",
            "10.0.0.3",
            "1",
            "::1",
            "n" * 64,
            "a.b" * 22,
        ):
            self.assertEqual(told_name(text), "", text)

    @given(st.text() | st.from_regex(r"[A-Za-z0-9_.-]{1,80}", fullmatch=True) | st.ip_addresses().map(str))
    def test_any(self, text: str) -> None:
        """Whatever is told is short, printable ASCII without blanks and markup, no address, and told again in the same way."""
        told = told_name(text)
        self.assertLessEqual(len(told), LONGEST_TOLD_NAME)
        self.assertEqual(told_name(told), told)
        self.assertTrue(set(told) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-"), told)
        if told:
            self.assertRaises(ValueError, parse_address, told)
