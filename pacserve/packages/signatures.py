"""Detached OpenPGP signatures, as far as they can be told from other files without a key.  Pure."""

from __future__ import annotations

# The first characters of a signature in ASCII armor (RFC 9580, 6.2).
_ARMOR = b"-----BEGIN PGP SIGNATURE-----"
# Bits of the first octet of a packet, and the type of signatures (RFC 9580, 4.2 and 5).
_PACKET = 0x80
_NEW_FORMAT = 0x40
_SIGNATURE_TYPE = 2

PREFIX_BYTES = len(_ARMOR)
"""Bytes that `may_begin_signature` looks at."""


def may_begin_signature(data: bytes) -> bool:
    """Returns whether a detached signature may begin with these bytes.  The page of a portal that asks for a password does not."""
    if data.startswith(_ARMOR):
        return True
    if not data or not data[0] & _PACKET:
        return False
    packet_type = data[0] & 0x3F if data[0] & _NEW_FORMAT else data[0] >> 2 & 0x0F
    return packet_type == _SIGNATURE_TYPE
