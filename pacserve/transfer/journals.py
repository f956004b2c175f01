"""The journals of files that are not complete: written while bytes come, and read by the daemon that is started next."""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from io import FileIO
from pathlib import Path

from pacserve.transfer import partial
from pacserve.transfer.spans import Spans
from pacserve.transfer.stores import Record
from pacserve.transfer.unfinished import JOURNAL_LIMIT, Journal, compose, hold_line, parse, span_line, step_of

JOURNAL = ".spans"
"""What the name of a journal has behind that of its file."""
SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Not through links, and without waiting for the writer of a FIFO."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class OpenJournal(Record):
    """
    Notes in a file which bytes of another one are there.  A note that can't be written, on a full disk, say, costs no more than those bytes again.

    Args:
        file: Positioned at its end.
        step: Bytes that are noted at once.
    """

    def __init__(self, file: FileIO, step: int) -> None:
        self._file = file
        self._step = step
        self._pending = Spans()

    def add(self, first: int, end: int) -> None:
        """Takes note that the bytes from `first` to before `end` are there: they have been written."""
        self._pending.add(first, end)
        if self._pending.size >= self._step:
            self.write_down()

    def hold(self) -> None:
        """Notes at once that bytes of an untrusted source will be there."""
        self._write(hold_line())

    def write_down(self) -> None:
        """Writes what is not written yet, so that it survives the end of this process."""
        pending, self._pending = self._pending, Spans()
        self._write(b"".join(span_line(*span) for span in pending))

    def close(self) -> None:
        """Notes no more."""
        self._file.close()

    def _write(self, lines: bytes) -> None:
        if not lines or self._file.closed:
            return
        try:
            done = self._file.write(lines)
        except OSError:
            done = 0
        if done != len(lines):
            self.close()  # behind half of a line no other one could be read


def write_journal(path: str, journal: Journal) -> OpenJournal:
    """
    Writes the journal of a file from the start, so that it is short and has no half of a line.

    Raises:
        OSError: It can't be written.
    """
    file = partial.create(str(Path(path).parent))
    text = compose(journal)
    try:
        if file.write(text) != len(text):
            raise OSError("the journal could not be written")
        os.rename(partial.path_of(file), path + JOURNAL)  # noqa: PTH104
    except OSError:
        partial.discard(file)
        file.close()
        raise
    return OpenJournal(file, step_of(journal.heading.size))


def read_journal(path: str) -> tuple[Journal, float]:
    """
    Returns what the journal of a file says, and when that was written, in seconds since the epoch.

    Raises:
        OSError: It can't be read.
        ValueError: It is another user's, or damaged.
    """
    with FileIO(path + JOURNAL, "rb", opener=lambda name, _: os.open(name, os.O_RDONLY | SAFELY)) as file:
        found = os.fstat(file.fileno())
        if not is_own(found):
            raise ValueError("it is not this user's")
        return parse(file.read(JOURNAL_LIMIT + 1)), found.st_mtime


def is_own(found: os.stat_result) -> bool:
    """Returns whether this is a regular file of the user of this process."""
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


def boot_id() -> str:
    """Returns the kernel's id of this start of the machine; where it has none, one that no other daemon has, so that only a clean end counts."""
    with contextlib.suppress(OSError, ValueError):
        return str(uuid.UUID(_BOOT_ID.read_text(encoding="ascii").strip()))
    return str(uuid.uuid4())
