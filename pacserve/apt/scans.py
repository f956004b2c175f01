"""Finds the lists of this host's own apt, and has them scanned by child processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from twisted.internet.defer import Deferred, DeferredSemaphore

from pacserve.apt.index import Index
from pacserve.apt.scanning import COMPRESSED
from pacserve.apt.targets import Target
from pacserve.complaints import Complaints
from pacserve.errors import FetchError, plain_reason
from pacserve.packages.children import Run
from pacserve.packages.kept_files import KeptFiles, Stamp, stamp_of

# Child processes at the same time: one for each core of a small machine.
CHILDREN_LIMIT = 2


def list_files(lists: Mapping[str, tuple[Target, ...]], complaints: Complaints) -> dict[str, tuple[Stamp, tuple[Target, ...]]]:
    """
    Returns the lists that there are, by their paths, each with its version and with the bases below which its files lie.

    Args:
        lists: As in `Sources`: apt keeps some of them compressed.
    """
    folders: dict[str, frozenset[str]] = {}
    found: dict[str, tuple[Stamp, tuple[Target, ...]]] = {}
    for stem, bases in lists.items():
        folder, _, name = stem.rpartition("/")
        if folder not in folders:
            folders[folder] = _names(folder, complaints)
        suffix = next((suffix for suffix in ("", *COMPRESSED) if f"{name}{suffix}" in folders[folder]), None)
        stamp = None if suffix is None else stamp_of(f"{stem}{suffix}")
        if stamp is not None:
            found[f"{stem}{suffix}"] = stamp, bases
    return found


class Scans:
    """Gives the indexes of lists, through `pacserve.apt.scanning`, and keeps them."""

    def __init__(self, kept: KeptFiles[Index], run: Run) -> None:
        self._kept = kept
        self._run = run
        self._children = DeferredSemaphore(CHILDREN_LIMIT)

    async def index(self, path: str, stamp: Stamp) -> Index:
        """
        Returns the index of a list: the one that is kept, or of this version or a newer one.

        Raises:
            FetchError: The list can't be read, or its index can't be written.
        """
        kept = self._kept.find(_name(path), stamp)
        return kept if kept is not None else await self._children.run(lambda: Deferred.fromCoroutine(self._scan(path)))

    def keep_only(self, paths: Iterable[str]) -> None:
        """Removes the indexes of all lists but these."""
        self._kept.forget_others([_name(path) for path in paths])

    async def _scan(self, path: str) -> Index:
        async def write(descriptor: int) -> None:
            outcome = await self._run((sys.executable, "-P", "-m", "pacserve.apt.scanning", path), descriptor)
            if outcome.status != 0:
                raise FetchError(outcome.complaint or f"exit status {outcome.status}")

        return await self._kept.made(_name(path), write)


def _name(path: str) -> str:
    """Returns the name of the index of a list: a path may be longer than a name."""
    return blake2b(os.fsencode(path), digest_size=16).hexdigest()


def _names(folder: str, complaints: Complaints) -> frozenset[str]:
    names: frozenset[str] = frozenset()
    trouble = ""
    try:
        names = frozenset(os.listdir(folder))  # noqa: PTH208 - names are wanted, and for every look
    except OSError as error:
        trouble = f"apt's lists in {folder} can't be read: {plain_reason(error)}; no package is known, and so none is shared"
    complaints.about(folder, trouble)
    return names
