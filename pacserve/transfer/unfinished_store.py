"""The files of a spool that are not complete, kept under their SHA-256 with a journal beside each, so that a restart goes on where it was."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from io import FileIO
from pathlib import Path

from pacserve.packages.files import ExpectedFile
from pacserve.transfer.journals import JOURNAL, SAFELY, OpenJournal, boot_id, is_own, read_journal, write_journal
from pacserve.transfer.spans import Spans
from pacserve.transfer.stores import KeptFile
from pacserve.transfer.unfinished import (
    SIZE_KEPT,
    Heading,
    Journal,
    UnfinishedFile,
    superfluous,
)

_UNFINISHED = ".unfinished-"
# The SHA-256, and some digits more: two repositories may have one file, and both downloads may run.
_NAME = re.compile(r"\.unfinished-([0-9a-f]{64})-[0-9a-f]{8}\Z")
# Bytes of a disk that a block is, as stat(2) counts them.
_BLOCK_BYTES = 512


class UnfinishedStore:
    """
    Keeps the files of one folder that are not complete.

    All but `trim` and `files` are called in one thread.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._boot = boot_id()
        # All files, so that the folder need not be read for each download; and of these the ones of downloads that run.
        self._paths: set[str] = set()
        self._running: dict[str, OpenJournal] = {}
        # A journal is removed, or its file is taken for a download, but not both.
        self._turn = threading.Lock()

    def open(self, *, clean: bool) -> None:
        """
        Takes over what was left behind.

        Args:
            clean: True if the daemon before ended as it should; otherwise files that were written before the machine was started are removed.
        """
        left = [str(path) for path in Path(self._directory).glob(f"{_UNFINISHED}*")]
        for path in left:
            found = self._read(path)
            if found is not None and found.journal.spans and (clean or found.journal.heading.boot == self._boot):
                self._settle(found)
                self._paths.add(path)
        for path in left:
            if path.removesuffix(JOURNAL) not in self._paths:
                self._remove(path)

    def files(self) -> Sequence[UnfinishedFile]:
        """Returns the files that no download writes now."""
        return list(self._readable(lambda _: True))

    def beginning(self, expected: ExpectedFile | None) -> int:
        """Returns how many bytes of a file are there from its start on."""
        found = self._best(expected)
        return 0 if found is None else Spans(found.journal.spans).end_of(0)

    def taken(self, sha256: bytes | None, size: int) -> int:
        """Returns the bytes of the disk that a file takes already."""
        found = self._best(ExpectedFile(size, sha256))
        return 0 if found is None else found.taken

    def _best(self, expected: ExpectedFile | None) -> UnfinishedFile | None:
        """Returns the one that has the most of a file; None where none has anything."""
        return next(iter(self._found(expected)), None)

    def _found(self, expected: ExpectedFile | None) -> Sequence[UnfinishedFile]:
        """Returns all of a file that no download writes now, first the one that has most of it."""
        if expected is None or expected.sha256 is None:
            return []
        prefix = f"{self._directory}/{_UNFINISHED}{expected.sha256.hex()}"
        files = [file for file in self._readable(lambda path: path.startswith(prefix)) if file.journal.heading.size == expected.size]
        return sorted(files, key=lambda file: file.journal.done, reverse=True)

    def _readable(self, wanted: Callable[[str], bool]) -> Iterator[UnfinishedFile]:
        """Yields the files that no download writes now, as far as they are to be relied on, and forgets the others: somebody may have cleaned up."""
        for path in list(self._paths):
            if wanted(path) and path not in self._running:
                found = self._read(path)
                if found is not None:
                    yield found
                elif path not in self._running:
                    self._paths.discard(path)

    def begin(self, name: str, expected: ExpectedFile | None) -> KeptFile | None:
        """
        Returns a file that survives when it does not become complete, with the bytes that an earlier download brought.

        Returns:
            None where nothing is kept, since the file is small or no digest of it is stated, or where nothing can be written.
        """
        if expected is None or expected.sha256 is None or expected.size < SIZE_KEPT:
            return None
        with self._turn, contextlib.suppress(OSError):
            found = self._found(expected)
            for other in found[1:]:
                self._remove(other.path)
            if found:
                journal = found[0].journal
                return self._begin(found[0].path, replace(journal, heading=replace(journal.heading, boot=self._boot, name=name)), 0)
            path = f"{self._directory}/{_UNFINISHED}{expected.sha256.hex()}-{secrets.token_hex(4)}"
            return self._begin(path, Journal(Heading(self._boot, expected.size, 0, name)), os.O_CREAT | os.O_EXCL)
        return None

    def leave(self, file: FileIO) -> bool:
        """
        Keeps a file that a download wrote, as far as it got.

        Returns:
            False where it is none of these files.
        """
        journal = self._running.get(path := str(file.name))
        if journal is None:
            return False
        journal.write_down()
        journal.close()
        found = self._read(path)
        if found is None or not found.journal.spans:
            self._remove(path)
        else:
            self._settle(found)
        del self._running[path]
        return True

    def forget(self, file: FileIO) -> None:
        """Forgets a file that is complete and has another name by now, or that is not to be kept; there may be none of that name."""
        path = str(file.name)
        journal = self._running.pop(path, None)
        if journal is not None:
            journal.close()
            self._remove(path)

    def remove_oldest(self, sha256: bytes | None) -> bool:
        """
        Removes the file to which nothing was added for longest, since the disk is full.

        Args:
            sha256: The digest of a file that is to stay.

        Returns:
            False where there is none.
        """
        files = self._others(sha256)
        return bool(files) and self._give_up(min(files, key=lambda file: file.used).path)

    def removable(self, sha256: bytes | None) -> int:
        """Returns the bytes of the disk that `remove_oldest` can give back in all."""
        return sum([file.taken for file in self._others(sha256)])

    def _others(self, sha256: bytes | None) -> Sequence[UnfinishedFile]:
        return [file for file in self.files() if file.sha256 != sha256]

    def trim(self, most: int, now: float, stated: Callable[[str], Collection[ExpectedFile]]) -> list[str]:
        """
        Removes the files that are too old or too many, or that nobody will ask for.

        Args:
            most: Bytes of the disk that all of them together may take.
            now: Seconds since the epoch.
            stated: Gives what the databases state of a name.

        Returns:
            The names of the files.
        """
        return [file.journal.heading.name for file in superfluous(self.files(), most, now, stated) if self._give_up(file.path)]

    def _begin(self, path: str, journal: Journal, flags: int) -> KeptFile:
        """
        Takes a file for a download.

        Raises:
            OSError: It, or its journal, can't be written.
        """
        file = FileIO(path, "r+b", opener=lambda name, _: os.open(name, os.O_RDWR | flags | SAFELY, 0o644))
        try:
            began = journal.heading.began or int(os.fstat(file.fileno()).st_mtime)
            noted = write_journal(path, replace(journal, heading=replace(journal.heading, began=began)))
        except OSError:
            file.close()
            if flags & os.O_CREAT:
                self._remove(path)
            raise
        self._running[path] = noted
        self._paths.add(path)
        return KeptFile(file, journal.spans, journal.held, noted)

    def _settle(self, found: UnfinishedFile) -> None:
        """Gives the room back that a file has behind its last byte, and shortens its journal, which was written no later for that."""
        path, journal = found.path, found.journal
        with contextlib.suppress(OSError):
            os.truncate(path, journal.last)
            write_journal(path, replace(journal, heading=replace(journal.heading, boot=self._boot))).close()
            os.utime(path + JOURNAL, (found.used, found.used))

    def _read(self, path: str) -> UnfinishedFile | None:
        """Returns what is known of a file; None where that is not to be relied on."""
        match = _NAME.match(Path(path).name)
        try:
            found = os.lstat(path)
            journal, used = read_journal(path)
        except (OSError, ValueError):
            return None
        if match is None or not is_own(found) or not journal.last <= found.st_size <= journal.heading.size:
            return None
        return UnfinishedFile(path, bytes.fromhex(match[1]), journal, found.st_blocks * _BLOCK_BYTES, used)

    def _give_up(self, path: str) -> bool:
        """Removes a file unless a download has just taken it; returns whether it was removed."""
        with self._turn:
            if path in self._running:
                return False
            with contextlib.suppress(OSError):
                os.unlink(path + JOURNAL)  # noqa: PTH108
        self._remove(path)
        return True

    def _remove(self, path: str) -> None:
        self._paths.discard(path)
        for name in (path + JOURNAL, path):
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108
