"""
Memory that is given back to the kernel.

The C library keeps what it has freed for later use, unless it lies at the end of its heap.  After 36,000 long names have come and gone that is some
4 MB of 13 that would stay; what Python itself keeps can't be had.  The call takes some 1 ms.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable


def _malloc_trim() -> Callable[[int], object] | None:
    """Returns malloc_trim(3); None with a C library other than glibc."""
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
    return trim


_TRIM = _malloc_trim()


def give_back() -> None:
    """Gives free memory back to the kernel, where the C library can do that."""
    if _TRIM is not None:
        _TRIM(0)
