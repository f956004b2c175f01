"""Tests for `pacserve.pacsrv.setup.record`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.setup.record import CHAIN, Record, decode, encode


class RecordTests(SynchronousTestCase):
    @given(st.builds(Record, st.booleans(), st.booleans(), st.lists(st.just("") | st.from_regex(CHAIN, fullmatch=True)).map(tuple)))
    def test_there_and_back(self, record: Record) -> None:
        """A record survives its file."""
        self.assertEqual(decode(encode(record)), record)

    def test_damaged(self) -> None:
        """A file that is no record is refused."""
        for text in ("", "{", "[]", "{}", '{"firewall": "a"}', "\0"):
            self.assertRaises(ValueError, decode, text)

    def test_chains(self) -> None:
        """Chains become words of a command, so only names of chains are taken."""
        self.assertEqual(decode('{"firewall": ["", "inet filter input", "--help", "a; b", 3]}').firewall, ("", "inet filter input"))
