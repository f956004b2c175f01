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
        new: Empty where the file is only removed.
        kept: A second name of the file whose place it takes, until all files are in place; empty where there is none.
    """

    path: str
    new: str
    kept: str

    def put(self) -> None:
        """Makes the change."""
        if self.kept and self.new:
            os.link(self.path, self.kept)
        elif self.kept:
            os.replace(self.path, self.kept)  # noqa: PTH105
        if self.new:
            os.replace(self.new, self.path)  # noqa: PTH105

    def take_back(self) -> None:
        """Undoes the change."""
        if self.kept:
            os.replace(self.kept, self.path)  # noqa: PTH105
        else:
            _remove(self.path)


def replace_all(changes: Sequence[Change]) -> None:
    """
    Writes the new texts, and removes files that get none; mode, owner and extended attributes of each file stay.

    The new texts are complete on the disk before the first file is replaced, so a full disk changes nothing.  The changes are made in their
    order, and taken back in the opposite one.

    Raises:
        WritingError: No file was changed.
    """
    staged: list[_Staged] = []
    replaced: list[_Staged] = []
    try:
        for change in changes:
            staged.append(_stage(change))  # noqa: PERF401 - one by one: those before a failure are removed again
        for one in staged:
            one.put()
            replaced.append(one)
    except BaseException as error:
        for one in reversed(replaced):
            one.take_back()
        if not isinstance(error, OSError):
            raise
        name = changes[len(staged)].path if len(staged) < len(changes) else staged[len(replaced)].path
        raise WritingError(f"{name} can't be written: {plain_reason(error)}; nothing was changed") from None
    finally:
        for one in staged:
            for name in filter(None, (one.new, one.kept)):
                _remove(name)


def _stage(change: Change) -> _Staged:
    """
    Writes the new text beside a file.

    Its name begins with a dot, which no pattern of an Include matches: a pacman that runs now must not read it.
    """
    there = Path(change.path).read_bytes() if change.before is not None or os.path.lexists(change.path) else None
    if there != (None if change.before is None else _encoded(change.before)):
        raise WritingError(f"{change.path} has changed meanwhile; run pacsrv setup again. Nothing was changed")
    folder, name = os.path.split(change.path)
    descriptor, new = tempfile.mkstemp(prefix=f".{name}.pacsrv-new-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if change.before is None:
                os.fchmod(descriptor, 0o644)
            file.write(_encoded(change.after or ""))
            file.flush()
            os.fsync(file.fileno())
        if change.before is not None:
            found = os.stat(change.path)  # noqa: PTH116
            shutil.copystat(change.path, new)
            os.chown(new, found.st_uid, found.st_gid)
            os.utime(new)  # the daemon notices a change by it
        if change.executable:
            os.chmod(new, os.stat(new).st_mode | 0o111)  # noqa: PTH101, PTH116, S103 - a script that every user may start
    except BaseException:
        _remove(new)
        raise
    kept = new.replace(".pacsrv-new-", ".pacsrv-old-") if change.before is not None else ""
    if change.after is None:
        _remove(new)
        new = ""
    return _Staged(change.path, new, kept)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108
