"""
Lists of repositories that this host's own apt does not have: those that clients were given, of the bases that `--apt-mirror` names.

Nobody here has verified their signature, and nobody need: a list only says by which digest a file is known in the LAN, and the apt that asked for it
compares the file with a list that it has verified itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from pacserve.apt.bases import Bases
from pacserve.apt.knowledge import KnownFile
from pacserve.apt.scanning import COMPRESSED
from pacserve.apt.source_files import SourceFiles
from pacserve.apt.sources import LIST_KINDS, Sources
from pacserve.apt.targets import Target, target_of
from pacserve.complaints import Complaints
from pacserve.errors import reason_of
from pacserve.packages.children import Run
from pacserve.packages.files import HeldFile

# Lists that are kept, the bytes of one as it is fetched, and of all: Debian's largest has 9 MB.
LISTS_LIMIT = 64
SIZE_LIMIT = 64 << 20
BYTES_LIMIT = 512 << 20
_LONGEST_NAME = 255

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class PassedFolder:
    """
    The folder of these lists: each is named by its URL.

    Args:
        path: It is made where it is missing.
        bases: Those of which lists are kept.
    """

    def __init__(self, path: str, bases: Bases) -> None:
        self.path = Path(path)
        self._bases = bases

    def name_of(self, url: str) -> str | None:
        """Returns the name of a list; None for an index that states no files of one of the bases, and for one that can't be named."""
        target = target_of(url)
        if target is None or _stem(target.name) not in LIST_KINDS or self._bases.of(target) is None:
            return None
        name = quote(url, safe="")
        return name if len(name) <= _LONGEST_NAME else None

    def lists(self) -> dict[str, tuple[Target, ...]]:
        """Returns the paths of the lists, without the suffix of a compressed one, each with the base below which its files lie."""
        try:
            names = sorted(os.listdir(self.path))  # noqa: PTH208 - names are wanted
        except OSError:
            return {}
        found: dict[str, tuple[Target, ...]] = {}
        for name in names:
            target = target_of(unquote(name))
            base = None if target is None else self._bases.of(target)
            if base is not None:
                found[str(self.path / _stem(name))] = (base,)
        return found

    def stamp(self) -> int | None:
        """Returns the mtime of the folder in nanoseconds, which changes with each list; None where there is none."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return None

    def take(self, held: HeldFile, name: str) -> None:
        """
        Puts a list in the place of the former one, however that is compressed, and removes the oldest where there are too many.

        Raises:
            OSError: It can't be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        new = self.path / f".new-{os.getpid()}"
        with new.open("wb") as file, os.fdopen(os.dup(held.file.fileno()), "rb") as source:
            source.seek(0)
            shutil.copyfileobj(source, file, 1 << 20)
        new.replace(self.path / name)
        for suffix in ("", *COMPRESSED):
            other = f"{_stem(name)}{suffix}"
            if other != name:
                (self.path / other).unlink(missing_ok=True)
        size = 0
        for number, path in enumerate(sorted(self.path.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)):
            size += path.stat().st_size
            if number >= LISTS_LIMIT or size > BYTES_LIMIT:
                path.unlink(missing_ok=True)


class SourceFilesAndPassed(SourceFiles):
    """
    Knows the sources of this host's own apt, and beside its lists those that clients were given.

    Args:
        more: URLs of bases that no source names.
        is_here: Returns whether an authority names this daemon.
    """

    def __init__(self, run: Run, more: Sequence[str], is_here: Callable[[str], bool], folder: PassedFolder) -> None:
        super().__init__(run, more, is_here)
        self._folder = folder
        self._passed_at: int | None = None

    def without_apt(self) -> Sources:
        return self._with_passed(super().without_apt())

    def changed(self) -> bool:
        return self._folder.stamp() != self._passed_at or super().changed()

    async def read(self) -> Sources:
        return self._with_passed(await super().read())

    def _with_passed(self, sources: Sources) -> Sources:
        self._passed_at = self._folder.stamp()
        return replace(sources, lists={**self._folder.lists(), **sources.lists})


class PassedLists:
    """
    Keeps the lists that clients are given.

    Args:
        hold: Fetches a file into the spool, and returns whether it is there.
        open_file: Opens a complete file of this host by its name.
        in_thread: Copies files.
    """

    _log = Logger()

    def __init__(
        self, folder: PassedFolder, hold: Callable[[KnownFile], Awaitable[bool]], open_file: Callable[[str], HeldFile | None], in_thread: InThread
    ) -> None:
        self._folder = folder
        self._hold = hold
        self._open_file = open_file
        self._in_thread = in_thread
        self._taken: dict[str, bytes] = {}
        self._turn = DeferredLock()
        self._complaints = Complaints(self._log)

    def given(self, known: KnownFile) -> None:
        """Takes note that a client was given an index: one that states files of one of the bases is kept, once it is here."""
        name = self._folder.name_of(known.plain) if known.plain else None
        if name is None or known.stated.size > SIZE_LIMIT or self._taken.get(name) == known.stated.sha256:
            return
        if len(self._turn.waiting) >= LISTS_LIMIT:  # more than are kept: the next client that is given it brings it again
            return
        self._taken.pop(name, None)
        self._taken[name] = known.stated.sha256
        if len(self._taken) > LISTS_LIMIT:
            del self._taken[next(iter(self._taken))]
        taking = self._turn.run(lambda: Deferred.fromCoroutine(self._take(name, known)))
        self._complaints.hear(taking, "keeping a list that a client was given")

    async def _take(self, name: str, known: KnownFile) -> None:
        held = self._open_file(known.stated.name) if await self._hold(known) else None
        if held is None:
            self._taken.pop(name, None)
            return
        try:
            await self._in_thread(lambda: self._folder.take(held, name))
        except OSError as error:
            self._taken.pop(name, None)
            trouble = f"lists of --apt-mirror can't be kept in {self._folder.path}: {reason_of(error)}; choose another folder with --state"
            self._complaints.about("copying", trouble)
        else:
            self._complaints.about("copying", "")
        finally:
            held.file.close()


def _stem(name: str) -> str:
    """Returns the name of a list without the suffix of a compressed one."""
    suffix = next((suffix for suffix in COMPRESSED if name.endswith(suffix)), "")
    return name.removesuffix(suffix)
