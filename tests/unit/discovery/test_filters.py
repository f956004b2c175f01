"""Tests for `pacserve.discovery.filters`."""

import contextlib
import re
import warnings
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.filters import Filter, PeerFilters, parse_filter
from pacserve.network.addresses import Endpoint

HOST_3 = Endpoint("10.0.0.3", 15678)
HOST_7 = Endpoint("10.0.0.7", 15678)
HOST_70 = Endpoint("10.0.0.70", 15678)
OTHER_NET = Endpoint("192.168.1.3", 15678)
ULA = Endpoint("fd77::b", 15678)
LINK_LOCAL = Endpoint("fe80::1%eth0", 15678)
ALL = (HOST_3, HOST_7, HOST_70, OTHER_NET, ULA, LINK_LOCAL)


def alone(*texts: str) -> list[Endpoint]:
    """Which of the addresses are admitted when each is the only one of its host."""
    filters = PeerFilters([parse_filter(text) for text in texts])
    return [address for address in ALL if filters.admitted([address]) == (address,)]


class ParseTests(SynchronousTestCase):
    def test_good(self) -> None:
        """i: admits and x: excludes; the first colon ends the prefix, the rest is the expression."""
        self.assertEqual(parse_filter(r"i:^10\.0\."), Filter(False, re.compile(r"^10\.0\.")))
        self.assertEqual(parse_filter("x::15679$"), Filter(True, re.compile(":15679$")))
        self.assertEqual(parse_filter("x:(?i)FD77::"), Filter(True, re.compile("(?i)FD77::")))

    def message(self, text: str) -> str:
        """The message that a wrong filter gets: one line."""
        error = self.assertRaises(ValueError, parse_filter, text)
        assert isinstance(error, ValueError)
        self.assertTrue(str(error).isprintable(), error)
        return str(error)

    def test_prefix(self) -> None:
        """Another prefix, or none, is refused, and both that there are get named."""
        for text in ("", "10.0.0.3", "I:10", "X:10", "e:10", " i:10", "i", "x", "ix:10", "i 10", "a\nb", "\ud800:", "fd77::b"):
            self.assertIn("does not begin with i: or x:", self.message(text))

    def test_marked(self) -> None:
        """The place of a mistake is marked, behind the first character of what is wrong."""
        for text, message in (
            ("x:10.(", "'x:10.(': missing ), unterminated subpattern at position 4 of the expression: 10.(<-- here"),
            ("i:*", "'i:*': nothing to repeat at position 1 of the expression: *<-- here"),
            (r"i:10\.[9-0]$", r"'i:10\.[9-0]$': bad character range 9-0 at position 6 of the expression: 10\.[9<-- here -0]$"),
            ("i:a\nb)c", r"'i:a\nb)c': unbalanced parenthesis at position 4 of the expression: a\nb)<-- here c"),
            ("i:(?", "'i:(?': unexpected end of pattern at position 3 of the expression: (?<-- here"),
            ("x:(?<=a*)b", "'x:(?<=a*)b': look-behind requires fixed-width pattern in the expression: (?<=a*)b"),
        ):
            self.assertEqual(self.message(text), message)

    def test_too_much(self) -> None:
        """An expression that Python can't take is refused."""
        self.assertIn("repetition", self.message("i:a{99999999999999999999}"))
        self.message("i:" + "(" * 10_000 + ")" * 10_000)

    def test_no_warnings(self) -> None:
        """Syntax that may mean something else one day is taken as it is, without a warning on the terminal."""
        with warnings.catch_warnings(record=True, action="always") as caught:
            self.assertIsNotNone(parse_filter("i:[[]fd77:").expression.search("[fd77::b]:15678"))
        self.assertEqual(caught, [])

    @given(st.text(max_size=30) | st.text("()[]{}?*+-\\^$|:<=!iPx109.", max_size=20).map("i:".__add__))
    @example("i:\ud800(")
    def test_anything(self, text: str) -> None:
        """Any text is a filter, or gets a message of one line."""
        with contextlib.suppress(ValueError):
            parse_filter(text)
            return
        self.message(text)


class AdmittedTests(SynchronousTestCase):
    def test_no_filters(self) -> None:
        """Without filters every address may be used."""
        self.assertEqual(alone(), list(ALL))
        self.assertEqual(PeerFilters([]).admitted(ALL), ALL)

    def test_include(self) -> None:
        """With i: filters, only what one of them matches may be used."""
        self.assertEqual(alone(r"i:^10\.0\.0\."), [HOST_3, HOST_7, HOST_70])
        self.assertEqual(alone(r"i:^10\.0\.0\.", r"i:^\[fd77:"), [HOST_3, HOST_7, HOST_70, ULA])

    def test_exclude(self) -> None:
        """What an x: filter matches may not be used; the port in the text tells 10.0.0.7 from 10.0.0.70."""
        self.assertEqual(alone(r"x:^10\.0\.0\.7:"), [HOST_3, HOST_70, OTHER_NET, ULA, LINK_LOCAL])
        self.assertEqual(alone("x::15678$"), [])

    def test_both(self) -> None:
        """x: wins over i:, in whatever order they are given."""
        for filters in ((r"i:^10\.", r"x:\.7:"), (r"x:\.7:", r"i:^10\.")):
            self.assertEqual(alone(*filters), [HOST_3, HOST_70])

    def test_text(self) -> None:
        """What is matched is ADDRESS:PORT, IPv6 in brackets, without the zone of a link-local address."""
        for address, text in ((HOST_3, r"10\.0\.0\.3:15678"), (ULA, r"\[fd77::b\]:15678"), (LINK_LOCAL, r"\[fe80::1\]:15678")):
            self.assertEqual(PeerFilters([parse_filter(rf"i:\A{text}\Z")]).admitted([address]), (address,))
        self.assertEqual(alone("x:eth0|%"), list(ALL))

    def test_whole_instance(self) -> None:
        """An instance one of whose addresses an x: filter matches is rejected wholly."""
        excluding = PeerFilters([parse_filter(r"x:^10\.0\.0\.7:")])
        for addresses in ((HOST_7, ULA), (ULA, HOST_7), (ULA, LINK_LOCAL, HOST_7, OTHER_NET)):
            self.assertEqual(excluding.admitted(addresses), ())
        self.assertEqual(excluding.admitted((ULA, HOST_3)), (ULA, HOST_3))

    def test_some_addresses(self) -> None:
        """Of an instance, the addresses that an i: filter matches may be used, and the others not."""
        including = PeerFilters([parse_filter(r"i:^10\.")])
        self.assertEqual(including.admitted((ULA, HOST_3, LINK_LOCAL)), (HOST_3,))
        self.assertEqual(including.admitted((ULA, LINK_LOCAL)), ())
        self.assertEqual(including.admitted(()), ())

    @given(st.lists(st.sampled_from((r"i:^10", "i:fd77", r"x:\.7:", "x:192", "x:fe80", "i:5678")), max_size=4), st.lists(st.sampled_from(ALL)))
    def test_memory(self, texts: Sequence[str], addresses: Sequence[Endpoint]) -> None:
        """An answer that is remembered is the one that was given first."""
        filters = PeerFilters([parse_filter(text) for text in texts])
        self.assertEqual(filters.admitted(addresses), filters.admitted(addresses))
        for address in addresses:
            self.assertEqual(filters.admitted([address]), PeerFilters([parse_filter(text) for text in texts]).admitted([address]))
