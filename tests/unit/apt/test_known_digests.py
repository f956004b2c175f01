"""Tests for `pacserve.apt.known_digests`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.known_digests import DIGESTS_LIMIT, KEPT_BYTES, FileIdentity, decode_digests, encode_digests

IDENTITIES = st.builds(FileIdentity, st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
KNOWN = st.dictionaries(IDENTITIES, st.binary(min_size=32, max_size=32), max_size=5)


class KnownDigestsTests(SynchronousTestCase):
    @given(KNOWN)
    def test_there_and_back(self, known: dict[FileIdentity, bytes]) -> None:
        """All that is kept is known again."""
        self.assertEqual(decode_digests(encode_digests(known)), known)

    @given(st.binary(max_size=300))
    def test_anything(self, data: bytes) -> None:
        """What is no such file keeps nothing."""
        self.assertEqual(decode_digests(data), {})

    @given(KNOWN.filter(bool), st.data())
    def test_damaged(self, known: dict[FileIdentity, bytes], data: st.DataObject) -> None:
        """One wrong bit, a missing end or a byte more, and nothing is known: a wrong digest would be told to the LAN."""
        text = encode_digests(known)
        at = data.draw(st.integers(0, len(text) - 1))
        for damaged in (text[:at], text + b"x", text[:at] + bytes([text[at] ^ 1 << data.draw(st.integers(0, 7))]) + text[at + 1 :]):
            self.assertEqual(decode_digests(damaged), {})

    def test_bounded(self) -> None:
        """No more is kept than the limit, and nothing is read of a larger file."""
        known = {FileIdentity(number, 1, 1): bytes(32) for number in range(DIGESTS_LIMIT + 1)}
        text = encode_digests(known)
        self.assertEqual((len(text), len(decode_digests(text))), (KEPT_BYTES, DIGESTS_LIMIT))
