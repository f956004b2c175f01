"""The pacman of this machine: its version, what its programs print, and its configuration files as it finds them."""

from __future__ import annotations

import contextlib
import ctypes
import locale
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pacserve.pacsrv.configuration import ConfigurationFiles

# Seconds.
_PATIENCE = 10.0
_VERSION = re.compile(r"Pacman v(\d{1,4})\.(\d{1,4})")
_CACHE_SERVER_SINCE = (6, 1)


def pacman_version() -> tuple[int, int] | None:
    """Major and minor version; None where there is no pacman, or it does not say."""
    match = _VERSION.search(output_of(("pacman", "--version")) or "")
    return (int(match[1]), int(match[2])) if match is not None else None


def knows_cache_server(version: tuple[int, int] | None) -> bool:
    """Returns whether a pacman of that version does not ignore CacheServer; of one that is not known it is assumed."""
    return version is None or version >= _CACHE_SERVER_SINCE


def output_of(command: Sequence[str]) -> str | None:
    """What a command prints; None where it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


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
