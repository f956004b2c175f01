"""Tests for `pacserve.packages.signatures`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.signatures import may_begin_signature


class SignaturesTests(SynchronousTestCase):
    def test_signatures(self) -> None:
        """Packets of the old and of the new format, and ASCII armor."""
        for data in (b"\x88\x75\x04\x00", b"\x89\x01\x33\x04", b"\xc2\x75\x04", b"-----BEGIN PGP SIGNATURE-----\n\n"):
            self.assertTrue(may_begin_signature(data), data)

    def test_others(self) -> None:
        """Nothing, a page, a message of a proxy, a public key, and a package are no signatures."""
        others = (b"", b"<html>", b"\r\n<!DOCTYPE", b"Not Found", b"\x99\x01", b"\xc6\x33", b"\x28\xb5\x2f\xfd", b"-----BEGIN PGP PUBLIC KEY")
        for data in others:
            self.assertFalse(may_begin_signature(data), data)

    @given(st.binary(max_size=40))
    def test_anything(self, data: bytes) -> None:
        """Whatever the bytes are, the answer is yes or no; no text is a signature but armor."""
        self.assertIn(may_begin_signature(data), (True, False))
        text = bytes(byte & 0x7F for byte in data)
        self.assertEqual(may_begin_signature(text), text.startswith(b"-----BEGIN PGP SIGNATURE-----"))
