"""The local package caches, as a source of files and as the inventory for peers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from io import FileIO
from typing import Any

from twisted.internet.interfaces import IReactorTime

from pacserve.cache.digests import Digests
from pacserve.cache.folders import complete, open_file
from pacserve.cache.listing import Listing
from pacserve.errors import AbsentError, plain_reason
from pacserve.http.validators import make_etag
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import FileKind, HeldFile
from pacserve.packages.inventory import Delta, Inventory, LocalPackages
from pacserve.packages.marks import marked
from pacserve.packages.names import is_shared, shared_file, signed_file
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, LocalFile, Location, Offer


class CachedPackages(LocalPackages, PackageSource):
    """
    The complete package files and signatures in the cache folders.

    Every question is answered from the folders themselves, so that a file that pacman has just deleted is never promised.  Nothing is ever written
    to them.

    Args:
        private: Returns the repositories whose packages the inventory does not list.
    """

    def __init__(
        self,
        directories: Callable[[], Sequence[str]],
        databases: Catalogue,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
        clock: IReactorTime,
        wall: Callable[[], float],
        private: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._directories = directories
        self._databases = databases
        self._wall = wall
        self._digests = Digests(in_thread, clock)
        self._listing = Listing(directories, databases, in_thread, clock, wall, private)

    def open(self, name: str, size: int | None) -> HeldFile | None:
        parsed = shared_file(name)
        if parsed is None:
            return None
        for folder in self._directories():
            opened = open_file(folder, name)
            if opened is None:
                continue
            file, found = opened
            usable = self._is_signature(folder, name, file, found) if parsed.signature else self._is_package(name, file, found, size)
            if usable:
                return HeldFile(name, file, found.st_size, int(found.st_mtime), make_etag(found.st_size, found.st_mtime_ns, found.st_ino))
            file.close()
        return None

    async def inventory(self) -> Inventory:
        return await self._listing.inventory()

    def changes(self, since: int) -> Delta | None:
        return self._listing.changes(since)

    @property
    def best(self) -> Rank:
        return Rank.CACHE

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        if wanted.request.kind is FileKind.DATABASE:
            return ()
        if self._lies_there(wanted.request.name):
            return (Candidate(_rank(wanted), Offer(Holder.CACHE), partial(self._settle, wanted)),)
        return ()

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        if wanted.request.kind is FileKind.DATABASE:
            return ()
        if not self._lies_there(wanted.request.name):
            return (Considered("cache", _rank(wanted), "not held", None),)
        held = self.open(wanted.request.name, wanted.size)
        if held is None:
            reason = "this host has a file of that name that is not complete, or of another size than the database states"
            return (Considered("cache", _rank(wanted), reason, None),)
        held.file.close()
        return (Considered("cache", _rank(wanted), "this host has it", Offer(Holder.CACHE)),)

    def _lies_there(self, name: str) -> bool:
        """Returns whether one of the folders has a package file or signature of that name, complete or not."""
        if not is_shared(name):
            return False
        for folder in self._directories():
            try:
                os.lstat(f"{folder}/{name}")
            except OSError:
                continue
            return True
        return False

    async def _settle(self, wanted: Wanted, deadline: float) -> Location:
        held = self.open(wanted.request.name, wanted.size)
        if held is None:
            raise AbsentError("local caches: not complete, or of another size")
        if wanted.visited and wanted.request.kind is FileKind.PACKAGE:
            await self._check(wanted, held)
        return LocalFile(held)

    def _is_signature(self, folder: str, name: str, file: FileIO, found: os.stat_result) -> bool:
        """Returns whether a signature is complete, and not known to sign another build of its package than the databases state."""
        signed = signed_file(name)
        digest = marked(file.fileno())
        if digest is not None:  # it was whole when it got its name
            return self._may_be(signed, digest)
        if not complete(found.st_size, found.st_ctime, self._wall(), (), signature=True):
            return False
        sizes = self._databases.sizes(signed)
        with contextlib.suppress(OSError):
            return not sizes or os.lstat(f"{folder}/{signed}").st_size in sizes
        return True

    def _is_package(self, name: str, file: FileIO, found: os.stat_result, size: int | None) -> bool:
        """Returns whether a package is complete, and not known to be another build than the databases state."""
        if size is not None:
            whole = found.st_size == size
        else:
            whole = complete(found.st_size, found.st_ctime, self._wall(), self._databases.sizes(name), signature=False)
        digest = marked(file.fileno()) if whole else None
        return whole and (digest is None or self._may_be(name, digest))

    def _may_be(self, name: str, digest: bytes) -> bool:
        """Returns whether a package of this name may have this SHA-256, as far as the databases state any."""
        stated = [expected.sha256 for expected in self._databases.all_expected(name) if expected.sha256 is not None]
        return not stated or digest in stated

    async def _check(self, wanted: Wanted, held: HeldFile) -> None:
        """
        Reads all of a package for a client that comes back for it: pacman may have found that it is another build.

        Raises:
            AbsentError: It has not the SHA-256 that its database states, and is closed.
            FetchError: That can't be told in time; it is closed.
        """
        stated = None if wanted.expected is None else wanted.expected.sha256
        right = False
        try:
            right = stated is None or await self._digests.of(held) in (None, stated)
        except OSError as error:
            raise AbsentError(f"local caches: {plain_reason(error)}") from error
        finally:
            if not right:
                held.file.close()
        if not right:
            raise AbsentError("local caches: another build, with the same name and size")


def _rank(wanted: Wanted) -> Rank:
    """Returns the place of this host's own file: a signature that pacman comes back for may sign what the package was before."""
    return Rank.CACHE_LAST if wanted.request.kind is FileKind.SIGNATURE and wanted.visited else Rank.CACHE
