"""The files of a configuration on this machine."""

from __future__ import annotations

import contextlib
import ctypes
import locale
import os
from collections.abc import Sequence
from pathlib import Path

from pacserve.pacsrv.reading import ConfigurationFiles

# Bytes; as much as anybody writes, and not a device that never ends.
_LIMIT = 16 << 20

_GLOB_NOCHECK = 1 << 4  # glob.h of glibc and of musl


class _Found(ctypes.Structure):
    """`glob_t` of glob.h, with room for what libraries keep behind the first three fields."""

    _fields_ = (
        ("count", ctypes.c_size_t),
        ("paths", ctypes.POINTER(ctypes.c_char_p)),
        ("offset", ctypes.c_size_t),
        ("private", ctypes.c_byte * 128),
    )


class LocalFiles(ConfigurationFiles):
    """Files as pacman sees them: patterns are expanded by the glob(3) that pacman calls, whose rules and order are not those of Python."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_COLLATE, "")  # as pacman does: glob(3) sorts by it

    def read(self, path: str) -> str:
        with Path(path).open("rb") as file:
            data = file.read(_LIMIT + 1)
        if len(data) > _LIMIT:
            raise OSError(0, f"longer than {_LIMIT >> 20} MiB")
        return data.decode("utf-8", "surrogateescape")

    def expand(self, pattern: str) -> Sequence[str]:
        found = _Found()
        status = self._libc.glob(os.fsencode(pattern), _GLOB_NOCHECK, None, ctypes.byref(found))
        try:
            return [os.fsdecode(found.paths[place]) for place in range(found.count)] if status == 0 else []
        finally:
            self._libc.globfree(ctypes.byref(found))
