"""
Marks on signatures that came from a mirror: which file each signs.

A signature is bound to the very bytes that it signs, and its name does not say which these are: a package may be built again under the same name.
The mark is an extended attribute (xattr(7)), which goes with the file when it is renamed, and is lost when somebody writes another file in its place.
"""

from __future__ import annotations

import contextlib
import os

_ATTRIBUTE = "user.pacserve.signs"
_DIGEST_BYTES = 32


def mark(descriptor: int, sha256: bytes) -> bool:
    """
    Marks a signature with the SHA-256 of the file that it signs.

    Returns:
        False where the file system takes no marks.
    """
    try:
        os.setxattr(descriptor, _ATTRIBUTE, sha256)
    except OSError:
        return False
    return True


def marked(descriptor: int) -> bytes | None:
    """Returns the SHA-256 of the file that a signature signs; None where the signature has no mark."""
    with contextlib.suppress(OSError):
        found = os.getxattr(descriptor, _ATTRIBUTE)
        return found if len(found) == _DIGEST_BYTES else None
    return None
