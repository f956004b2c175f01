"""Mirrors that are folders of this host (`file://`), as a source of files."""

from __future__ import annotations

import os
import stat
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import FileIO
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.bounded import ExpiringMemory
from pacserve.errors import AbsentError, FetchError, PacserveError, RequestError, plain_reason
from pacserve.http.validators import make_etag
from pacserve.packages.files import FileKind, FileRequest, HeldFile
from pacserve.packages.names import is_signature, signed_file
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, LocalFile, Location, Offer
from pacserve.web.access_log import printable

# Seconds that a folder has to give a file.  A disk takes milliseconds; a network file system may never answer, and pacman gives up after 10 s.
OPEN_TIMEOUT = 2.0
# A FIFO is not waited for.  Links are followed: the folders of mirrors are full of links to a pool.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OFFER = Offer(Holder.FOLDER)
# Seconds for which a look into a folder is good for what is told of it, and looks that are remembered.
_LOOK_LIFETIME = 5.0
_LOOKS_LIMIT = 64

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Folders:
    """
    The folders of this host that a repository is configured to come from, in the order of the configuration.

    Attributes:
        first: Those that stand before the first mirror on another host.
        last: Those behind it.
        alone: True if there is no mirror on another host.
    """

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    alone: bool = False


class FolderList(Protocol):
    """Knows the folders of repositories."""

    @abstractmethod
    def folders(self, repo: str, arch: str) -> Folders:
        """Returns the absolute paths of the folders of a repository; none where it has none, or is not known."""


class RepositoryFolders(PackageSource):
    """
    Gives the files of repositories that lie in folders of this host.

    The order is that of the configuration: folders before the first mirror on another host come before everything but the caches, those behind it
    come when no mirror has the file.  A repository that comes from folders alone ends here: no other host is asked for its files, whose names may be
    nobody's business.

    Args:
        in_thread: Opens files in a thread that nothing else waits for.
    """

    _log = Logger()

    def __init__(self, folders: FolderList, in_thread: InThread, clock: IReactorTime) -> None:
        self._folders = folders
        self._in_thread = in_thread
        self._clock = clock
        # True while an opening has not ended in time.  Until it has, nothing else is begun, so that no file system holds more than the one thread.
        self._stuck = False
        self._looked: ExpiringMemory[tuple[str, Wanted], str] = ExpiringMemory(_LOOKS_LIMIT, _LOOK_LIFETIME)
        # Troubles that the log knows, by folder.
        self._complaints: dict[str, str] = {}

    @property
    def best(self) -> Rank:
        return Rank.FOLDERS

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        found = self._folders.folders(wanted.request.repo, wanted.request.arch)
        candidates = []
        if found.first:
            candidates.append(Candidate(Rank.FOLDERS, _OFFER, partial(self._settle, wanted, found.first, alone=found.alone)))
        if found.last:
            candidates.append(Candidate(Rank.FOLDERS_LAST, _OFFER, partial(self._settle, wanted, found.last, alone=False)))
        return candidates

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        found = self._folders.folders(wanted.request.repo, wanted.request.arch)
        considered = []
        for rank, folders in ((Rank.FOLDERS, found.first), (Rank.FOLDERS_LAST, found.last)):
            for folder in folders:
                trouble = self._looked.get((folder, wanted), self._clock.seconds())
                # Where nobody else is asked, the folder is what answers the request, with the file or without.
                ends = found.alone and folder == folders[-1]
                reason = trouble or ("this host may have it" if trouble is None else "this host has it")
                if trouble and ends:
                    reason = f"{trouble}, and pacman.conf names no other mirror"
                considered.append(Considered(_origin(folder), rank, reason, None if trouble and not ends else _OFFER))
        return considered

    async def trouble(self, folder: str, name: str) -> str:
        """Returns why the file `name` of a folder can't be read now; empty where it can."""
        try:
            held = await self._opened(folder, name)
        except FetchError as error:
            return str(error)
        held.file.close()
        return ""

    async def look(self, wanted: Wanted) -> None:
        found = self._folders.folders(wanted.request.repo, wanted.request.arch)
        for folder in (*found.first, *found.last):
            trouble = await self._trouble_with(folder, wanted)
            self._looked.remember((folder, wanted), trouble, self._clock.seconds())

    async def _trouble_with(self, folder: str, wanted: Wanted) -> str:
        """Returns why a folder does not give a file; empty where it does."""
        try:
            held = await self._opened(folder, wanted.request.name)
        except FetchError as error:
            return str(error)
        held.file.close()
        return "" if _is_wanted(held, wanted) else _another_size(folder)

    async def _settle(self, wanted: Wanted, folders: Sequence[str], deadline: float, *, alone: bool) -> Location:
        try:
            return await self._find(wanted, folders)
        except FetchError as error:
            if alone:
                raise _end(wanted.request, error) from error
            raise

    async def _find(self, wanted: Wanted, folders: Sequence[str]) -> LocalFile:
        """
        Returns the file in the first folder that has it.

        Raises:
            RequestError: A folder has a database, and not its signature: that of another place would be of another version.
            AbsentError: No folder has it.
            FetchError: Some folders could not say.
        """
        errors: list[FetchError] = []
        for folder in folders:
            try:
                held = await self._opened(folder, wanted.request.name)
            except AbsentError as error:
                errors.append(error)
                if await self._has_signed(folder, wanted.request):
                    raise _end(wanted.request, error) from error
            except FetchError as error:
                errors.append(error)
            else:
                if _is_wanted(held, wanted):
                    return LocalFile(held, _origin(folder), Holder.FOLDER)
                held.file.close()
                errors.append(AbsentError(_another_size(folder)))
        kind = AbsentError if all(isinstance(error, AbsentError) for error in errors) else FetchError
        raise kind("; ".join(map(str, errors)))

    async def _has_signed(self, folder: str, request: FileRequest) -> bool:
        """Returns whether a folder has the database that a file is the signature of."""
        if request.kind is not FileKind.DATABASE or not is_signature(request.name):
            return False
        return not await self.trouble(folder, signed_file(request.name))

    async def _opened(self, folder: str, name: str) -> HeldFile:
        """
        Opens a file, and logs once what is wrong with its folder.

        Raises:
            AbsentError: There is no such file.
            FetchError: It can't be read.
        """
        if self._stuck:
            raise FetchError("a file system of this host does not answer")
        answer: Deferred[HeldFile] = Deferred()
        Deferred.fromCoroutine(self._open(folder, name)).addBoth(partial(self._ended, answer))
        answer.addTimeout(OPEN_TIMEOUT, self._clock)
        try:
            held = await answer
        except DeferredTimeoutError:
            self._stuck = True
            error = FetchError(f"{printable(folder)} does not answer")
            self._complain(folder, str(error))
            raise error from None
        except OSError as error:
            told = _error_of(folder, name, error)
            if not isinstance(told, AbsentError):
                self._complain(folder, str(told))
            raise told from error
        self._complaints.pop(folder, None)
        return held

    async def _open(self, folder: str, name: str) -> HeldFile:
        held: HeldFile = await self._in_thread(partial(open_in, folder, name))
        return held

    def _ended(self, answer: Deferred[HeldFile], outcome: Any) -> None:
        """Hands on how an opening has ended; a file that nobody waits for any more is closed."""
        self._stuck = False
        if not answer.called:
            answer.callback(outcome)
        elif isinstance(outcome, HeldFile):
            outcome.file.close()

    def _complain(self, folder: str, trouble: str) -> None:
        if self._complaints.get(folder) != trouble:
            self._complaints[folder] = trouble
            self._log.warn(
                "{trouble}: let pacserve's user read the repository, or take pacserve's line from its section of pacman.conf", trouble=trouble
            )


def open_in(folder: str, name: str) -> HeldFile:
    """
    Opens a regular file in a folder; the caller closes it.

    Raises:
        OSError: There is none, or it can't be read.
    """
    if "/" in name or name in {".", ".."}:
        raise FileNotFoundError
    path = f"{folder}/{name}"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - before it is opened: opening a device may do something
            raise FileNotFoundError
    except FileNotFoundError:
        os.stat(folder)  # noqa: PTH116 - says which of the two is missing
        raise
    descriptor = os.open(path, _FLAGS)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise FileNotFoundError
    return HeldFile(name, FileIO(descriptor, "rb"), found.st_size, int(found.st_mtime), make_etag(found.st_size, found.st_mtime_ns, found.st_ino))


def _error_of(folder: str, name: str, error: OSError) -> FetchError:
    """Returns what an error of the system means: a file that is missing in a folder that is there is absent, all else is a trouble of this host."""
    if isinstance(error, FileNotFoundError) and error.filename != folder:
        return AbsentError(f"{printable(folder)} has no {name}")
    return FetchError(f"{printable(folder)} can't be read: {plain_reason(error)}")


def _end(request: FileRequest, error: FetchError) -> PacserveError:
    """
    Returns the error after which no other host is asked.

    What can't be read here may be readable for pacman, whose next source is that very folder: an HTTP status would spoil that.
    """
    if isinstance(error, AbsentError):
        return RequestError(404, f"{request}: {error}", str(error))
    return RequestError(504, f"{request}: {error}", str(error), silent=True)


def _is_wanted(held: HeldFile, wanted: Wanted) -> bool:
    return wanted.size is None or wanted.request.kind is not FileKind.PACKAGE or held.size == wanted.size


def _another_size(folder: str) -> str:
    return f"{printable(folder)} has it in another size than the database states"


def _origin(folder: str) -> str:
    return f"folder {printable(folder)}"
