"""
Marks on files of the spool: which package a file is, or signs.

A package may be built again under the same name, and even with the same size.  What was downloaded before is not that file any more, and a signature
is bound to the very bytes that it signs.  The mark is an extended attribute (xattr(7)), which goes with the file when it is renamed, and is lost when
another program writes another file in its place.
"""

from __future__ import annotations

import contextlib
import os

_ATTRIBUTE = "user.pacserve.package"
_DIGEST_BYTES = 32


def mark(descriptor: int, sha256: bytes) -> bool:
    """
    Marks a file with the SHA-256 of the package that it is, or signs.

    Returns:
        False where the file system takes no marks.
    """
    try:
        os.setxattr(descriptor, _ATTRIBUTE, sha256)
    except OSError:
        return False
    return True


def marked(descriptor: int) -> bytes | None:
    """Returns the SHA-256 of the package that a file is, or signs; None where the file has no mark."""
    with contextlib.suppress(OSError):
        found = os.getxattr(descriptor, _ATTRIBUTE)
        return found if len(found) == _DIGEST_BYTES else None
    return None
