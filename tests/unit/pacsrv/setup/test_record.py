"""Tests for `pacserve.pacsrv.setup.record`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.setup.record import APT_CONFIGURATION, APT_SCRIPT, CHAIN, OPTION_FILES, Record, decode, encode

CHAINS = st.lists(st.just("") | st.from_regex(CHAIN, fullmatch=True)).map(tuple)
CREATED = st.lists(st.sampled_from([APT_CONFIGURATION, APT_SCRIPT, *OPTION_FILES])).map(tuple)


class RecordTests(SynchronousTestCase):
    @given(st.builds(Record, st.booleans(), st.booleans(), CHAINS, st.booleans(), CREATED))
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

    def test_created(self) -> None:
        """Files that were created are removed by an undo, so only those that a setup creates are taken; an older record has none."""
        text = '{"firewall": [], "created": ["/etc/apt/pacserve-proxy", "/etc/passwd", 3]}'
        self.assertEqual(decode(text).created, (APT_SCRIPT,))
        self.assertEqual(decode('{"firewall": [], "created": 3}').created, ())
        self.assertEqual(decode('{"firewall": [""], "enabled": true}'), Record(enabled=True, firewall=("",)))
