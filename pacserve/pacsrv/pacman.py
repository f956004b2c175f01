"""The pacman of this machine: its version, the output of its programs, and its configuration files as pacman reads them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import locale
import os
import re
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pacserve.pacsrv.configuration import ConfigurationFiles

# Seconds that a program has to answer; pacman-conf takes milliseconds.
_PROGRAM_TIMEOUT = 10.0
_VERSION = re.compile(r"Pacman v(\d{1,4})\.(\d{1,4})")
_CACHE_SERVER_SINCE = (6, 1)


def pacman_version() -> tuple[int, int] | None:
    """Returns the major and minor version; None where there is no pacman, or its version is not understood."""
    match = _VERSION.search(output_of(("pacman", "--version")) or "")
    return (int(match[1]), int(match[2])) if match is not None else None


def knows_cache_server(version: tuple[int, int] | None) -> bool:
    """Returns whether a pacman of that version knows CacheServer; one of an unknown version is taken to know it."""
    return version is None or version >= _CACHE_SERVER_SINCE


def output_of(command: Sequence[str]) -> str | None:
    """Returns the standard output of a command; None where the command fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROGRAM_TIMEOUT, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


# Bytes of a configuration file: more than any user writes, and a bound for devices that never end.
_FILE_LIMIT = 16 << 20

_GLOB_NOCHECK = 1 << 4  # glob.h of glibc and of musl


class _GlobResult(ctypes.Structure):
    """`glob_t` of glob.h, with room for the private fields that libraries keep behind the first three."""

    _fields_ = (
        ("count", ctypes.c_size_t),
        ("paths", ctypes.POINTER(ctypes.c_char_p)),
        ("offset", ctypes.c_size_t),
        ("private", ctypes.c_byte * 128),
    )


class LocalFiles(ConfigurationFiles):
    """
    Reads files as pacman does: patterns are expanded by the same glob(3), whose rules and order are not those of Python.

    Args:
        regular_only: True to refuse what is no regular file: opening a FIFO may take for ever.
    """

    def __init__(self, *, regular_only: bool = False) -> None:
        self._regular_only = regular_only
        self._libc = ctypes.CDLL(None, use_errno=True)
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_COLLATE, "")  # as pacman does: glob(3) sorts by it

    def read(self, path: str) -> str:
        if self._regular_only and not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            raise OSError(errno.EINVAL, "no regular file")
        with Path(path).open("rb") as file:
            data = file.read(_FILE_LIMIT + 1)
        if len(data) > _FILE_LIMIT:
            raise OSError(0, f"longer than {_FILE_LIMIT >> 20} MiB")
        return data.decode("utf-8", "surrogateescape")

    def expand(self, pattern: str) -> Sequence[str]:
        found = _GlobResult()
        status = self._libc.glob(os.fsencode(pattern), _GLOB_NOCHECK, None, ctypes.byref(found))
        try:
            return [os.fsdecode(found.paths[place]) for place in range(found.count)] if status == 0 else []
        finally:
            self._libc.globfree(ctypes.byref(found))
