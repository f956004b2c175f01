"""Files that did not become complete: the journal that says which of their bytes are there, and which of them are kept.  Rules only."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pacserve.packages.files import ExpectedFile
from pacserve.packages.names import shared_file
from pacserve.transfer.spans import Span, Spans

SIZE_KEPT = 1 << 20
"""Bytes from which on a file is kept when it does not become complete: smaller ones are fetched again sooner than they are looked for."""
JOURNAL_LIMIT = 1 << 20
"""Bytes of a journal that are read: one of a file of any size has less, see `step_of`."""
FILES_LIMIT = 16
"""Files that are kept: more than pacman downloads at once (`ParallelDownloads` is 5), for some pacmans that were cancelled one after the other."""
KEPT_TIME = 7 * 86_400.0
"""Seconds for which a file is kept to which nothing is added."""
UNSTATED_TIME = 86_400.0
"""Seconds for which one is kept that no database states any more: a client whose databases are older may still ask for it."""

# The share of the spool that they may take: one of the largest packages, of 2 GB, must fit, since the longest downloads are those that are cancelled.
_SHARE = 1 / 2
_VERSION = "1"
# Bytes of which a daemon that is killed may not have noted that they are there, and how many such notes a file has at most.
_STEP = 256 << 10
_STEPS_LIMIT = 4096
_HEADING = re.compile(r"1 (?P<boot>[0-9a-f-]{36}) (?P<size>[1-9][0-9]{0,17}) (?P<began>[0-9]{1,12}) (?P<name>[!-~]{1,255})\Z")
_SPAN = re.compile(r"([0-9]{1,18}) ([0-9]{1,18})\Z")
_HELD = "held"


@dataclass(frozen=True, slots=True)
class Heading:
    """
    The properties of a file that are known before any byte is there.

    Attributes:
        boot: The boot id of the kernel under which it was written: after a crash of the machine the disk may have zeros where bytes were.
        size: Bytes of the whole file.
        began: When the download began, in whole seconds since the epoch.
        name: The name of the file, which has passed its grammar.
    """

    boot: str
    size: int
    began: int
    name: str


@dataclass(frozen=True, slots=True)
class Journal:
    """
    A file that did not become complete.

    Attributes:
        spans: The bytes that are there.
        held: True if any of them came from an untrusted source.
    """

    heading: Heading
    spans: tuple[Span, ...] = ()
    held: bool = False

    @property
    def done(self) -> int:
        """The number of bytes that are there."""
        return sum([end - first for first, end in self.spans])

    @property
    def last(self) -> int:
        """The byte behind the last one that is there."""
        return max((end for _, end in self.spans), default=0)


@dataclass(frozen=True, slots=True)
class UnfinishedFile:
    """
    A file that did not become complete and is kept.

    Attributes:
        path: Where it is.
        sha256: What it will have when it is complete.
        taken: Bytes of the disk that it takes.
        used: When something was last added, in seconds since the epoch.
    """

    path: str
    sha256: bytes
    journal: Journal
    taken: int
    used: float


def compose(journal: Journal) -> bytes:
    """Returns the text of a journal."""
    heading = journal.heading
    first = f"{_VERSION} {heading.boot} {heading.size} {heading.began} {heading.name}\n".encode()
    return first + (hold_line() if journal.held else b"") + b"".join(span_line(*span) for span in journal.spans)


def span_line(first: int, end: int) -> bytes:
    """Returns the line that is added when the bytes from `first` to before `end` are there."""
    return b"%d %d\n" % (first, end)


def hold_line() -> bytes:
    """Returns the line that is added before the first byte of an untrusted source comes."""
    return f"{_HELD}\n".encode()


def parse(text: bytes) -> Journal:
    """
    Reads a journal.  A last line that does not end counts for nothing: the daemon was killed while it was written.

    Raises:
        ValueError: It is none, or is damaged.
    """
    if len(text) > JOURNAL_LIMIT:
        raise ValueError("it is too long")
    first, *lines = text.decode("ascii").split("\n")[:-1] or [""]
    match = _HEADING.match(first)
    if match is None or shared_file(match["name"]) is None:
        raise ValueError("it has no heading")
    heading = Heading(match["boot"], int(match["size"]), int(match["began"]), match["name"])
    spans, held = Spans(_spans(line for line in lines if line != _HELD)), _HELD in lines
    if any(end > heading.size for _, end in spans):
        raise ValueError("it has bytes behind the end")
    return Journal(heading, tuple(spans), held)


def _spans(lines: Iterable[str]) -> Iterator[Span]:
    for line in lines:
        match = _SPAN.match(line)
        if match is None or int(match[1]) >= int(match[2]):
            raise ValueError("a line of it is no span")
        yield int(match[1]), int(match[2])


def step_of(size: int) -> int:
    """Returns the bytes that are there before a line says so, for a file of so many bytes: a journal is short, however large the file."""
    return max(_STEP, size // _STEPS_LIMIT)


def share_of(limit: int) -> int:
    """Returns the bytes that such files may take of a spool that may have so many."""
    return int(limit * _SHARE)


def superfluous(files: Sequence[UnfinishedFile], most: int, now: float, stated: Callable[[str], Collection[ExpectedFile]]) -> list[UnfinishedFile]:
    """
    Returns the files that are not to be kept.

    Args:
        most: Bytes of the disk that all of them together may take; those go first to which nothing was added for longest.
        now: Seconds since the epoch.
        stated: Gives what the databases state of a name.
    """
    going = [file for file in files if abs(now - file.used) > _time_of(file, stated)]
    kept = sorted((file for file in files if file not in going), key=lambda file: file.used)
    size = sum([file.taken for file in kept])
    for number, file in enumerate(kept):
        if size <= most and len(kept) - number <= FILES_LIMIT:
            break
        going.append(file)
        size -= file.taken
    return going


def _time_of(file: UnfinishedFile, stated: Callable[[str], Collection[ExpectedFile]]) -> float:
    """Returns the seconds for which a file is kept."""
    return KEPT_TIME if any(one.sha256 == file.sha256 for one in stated(file.journal.heading.name)) else UNSTATED_TIME
