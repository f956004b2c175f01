"""Replaces files so that none is ever half written, and either all or none are changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pacserve.errors import plain_reason
from pacserve.pacsrv.setup.planning import Change


class WritingError(Exception):
    """The files could not be written, and none of them was changed; the message says why."""


@dataclass(frozen=True, slots=True)
class _Staged:
    """
    A file that waits to take the place of another one.

    Attributes:
        kept: A second name of the file whose place it takes, until all files are in place.
    """

    path: str
    new: str
    kept: str


def replace_all(changes: Sequence[Change]) -> None:
    """
    Writes the new texts; mode, owner and extended attributes of each file stay.

    The new texts are complete on the disk before the first file is replaced, so a full disk changes nothing.

    Raises:
        WritingError: No file was changed.
    """
    staged: list[_Staged] = []
    replaced: list[_Staged] = []
    try:
        for change in changes:
            staged.append(_stage(change))  # noqa: PERF401 - one by one: those before a failure are removed again
        for one in staged:
            os.link(one.path, one.kept)
            os.replace(one.new, one.path)  # noqa: PTH105
            replaced.append(one)
    except BaseException as error:
        for one in replaced:
            os.replace(one.kept, one.path)  # noqa: PTH105
        if not isinstance(error, OSError):
            raise
        name = changes[len(staged)].path if len(staged) < len(changes) else staged[len(replaced)].path
        raise WritingError(f"{name} can't be written: {plain_reason(error)}; nothing was changed") from None
    finally:
        for one in staged:
            _remove(one.new)
            _remove(one.kept)


def _stage(change: Change) -> _Staged:
    """
    Writes the new text beside a file.

    Its name begins with a dot, which no pattern of an Include matches: a pacman that runs now must not read it.
    """
    before = _encoded(change.before)
    if Path(change.path).read_bytes() != before:
        raise WritingError(f"{change.path} has changed meanwhile; run pacsrv setup again. Nothing was changed")
    folder, name = os.path.split(change.path)
    descriptor, new = tempfile.mkstemp(prefix=f".{name}.pacsrv-new-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_encoded(change.after))
            file.flush()
            os.fsync(file.fileno())
        found = os.stat(change.path)  # noqa: PTH116
        shutil.copystat(change.path, new)
        os.chown(new, found.st_uid, found.st_gid)
        os.utime(new)  # the daemon notices a change by it
    except BaseException:
        _remove(new)
        raise
    return _Staged(change.path, new, new.replace(".pacsrv-new-", ".pacsrv-old-"))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108
