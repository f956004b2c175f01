"""
A release and the indexes that it names are one snapshot: who was given a release gets the indexes of that one, or none.

Mirrors change while apt reads them, and caches are older than each other.  Either way apt would get an index that its release does not name, and
stop.  Here an index is handed out only as it is named by the release that the client was given last.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.apt.content import StatedFile, label_of
from pacserve.apt.kept_releases import KeptRelease, KeptReleases
from pacserve.apt.knowledge import KnownFile, Releases
from pacserve.apt.release_fetching import RefusedError, ReleaseFetching
from pacserve.apt.releases import IndexEntry
from pacserve.apt.targets import Target
from pacserve.bounded import ExpiringMemory
from pacserve.complaints import Complaints
from pacserve.errors import FetchError, RequestError
from pacserve.http.validators import format_date, is_to_come, parse_date
from pacserve.network.addresses import IPAddress
from pacserve.waiting import Waiters
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask

# Seconds in which the indexes of a new release must be here for it to be handed out, where the mirror can be asked for them by name alone.
HOLD_TIMEOUT = 15.0
# Seconds for which it is remembered which release a client was given: it may ask for an index of it much later.
GIVEN_LIFETIME = 7 * 24 * 3600.0
_GIVEN_LIMIT = 4096
_BY_HASH = ("by-hash", "SHA256")

Hold = Callable[[KnownFile], Coroutine[Any, Any, bool]]


class Time(NamedTuple):
    """
    The time of this process.

    Attributes:
        wall: Gives the seconds since the epoch.
    """

    clock: IReactorTime
    wall: Callable[[], float]


class Snapshots(Releases):
    """
    Hands out releases and says which indexes belong to them.

    Args:
        hold: Fetches an index into the spool; returns whether the mirror has it as it is stated.
        own: Returns whether an address is one of this host, whose memory others can't push out.
    """

    _log = Logger()

    def __init__(self, kept: KeptReleases, fetching: ReleaseFetching, hold: Hold, own: Callable[[IPAddress], bool], time: Time) -> None:
        self._kept = kept
        self._fetching = fetching
        self._hold = hold
        self._own = own
        self._clock, self._wall = time
        self._running: dict[str, Waiters] = {}
        self._outcomes: dict[str, KeptRelease | FetchError] = {}
        self._given: ExpiringMemory[tuple[str, str], bytes] = ExpiringMemory(_GIVEN_LIMIT, GIVEN_LIFETIME)
        self._given_here: ExpiringMemory[tuple[str, str], bytes] = ExpiringMemory(_GIVEN_LIMIT, GIVEN_LIFETIME)
        self._complaints = Complaints(self._log)

    async def release(self, target: Target, ask: Ask) -> Answer:
        if target.name == "Release.gpg":
            return await self._signature(target, ask)
        kept = await self._newest(target)
        since = parse_date(ask.header("If-Modified-Since") or "")
        if since is not None and kept.dated is not None and since >= kept.dated:
            # A client that has a later one has it from elsewhere.
            self._give(ask.client, kept.url, kept if since == kept.dated else None)
            return DocumentAnswer(b"", _headers(kept), 304)
        self._give(ask.client, kept.url, kept)
        return DocumentAnswer(kept.release.data, _headers(kept))

    def find(self, target: Target, client: IPAddress) -> KnownFile | None:
        for url, folder in self._kept.suites().items():
            path = target.below(folder)
            found = None if path is None else self._by_digest(url, target, path) or self._by_name(url, folder, path, client)
            if found is not None:
                return found
        return None

    async def _signature(self, target: Target, ask: Ask) -> Answer:
        """Answers with the signature of the Release that the client was given last."""
        release = target.sibling("Release")
        kept = self._given_to(ask.client, release.url) or await self._newest(release)
        if not kept.signature:
            raise RequestError(404, f"{target.url}: the mirror has no signature of its Release")
        return DocumentAnswer(kept.signature, (("Content-Type", "application/pgp-signature"),))

    async def _newest(self, target: Target) -> KeptRelease:
        """
        Returns the release that is handed out now: the mirror is asked once for all clients that want it at the moment.

        Raises:
            RequestError: There is none.
        """
        url = target.url
        waiters = self._running.get(url)
        if waiters is None:
            waiters = self._running[url] = Waiters()
            self._complaints.hear(Deferred.fromCoroutine(self._ask(target, waiters)), "asking for a release")
        if self._running.get(url) is waiters:
            await waiters.wait()
        outcome = self._outcomes.get(url) or FetchError("a defect of this daemon")
        if isinstance(outcome, RefusedError):
            raise RequestError(outcome.status, f"{url}: {outcome}")
        if isinstance(outcome, FetchError):
            raise RequestError(503, f"{url}: {outcome}")
        return outcome

    async def _ask(self, target: Target, waiters: Waiters) -> None:
        url = target.url
        self._outcomes.pop(url, None)
        try:
            self._outcomes[url] = await self._decided(target)
        except FetchError as error:
            self._outcomes[url] = error
        finally:
            del self._running[url]
            waiters.wake()
            self._clock.callLater(0, self._clean_up, url)

    def _clean_up(self, url: str) -> None:
        if url not in self._running:
            self._outcomes.pop(url, None)

    async def _decided(self, target: Target) -> KeptRelease:
        """
        Returns the mirror's release, or the last good one where that can't be handed out.

        Raises:
            FetchError: There is none.
        """
        former = next(iter(self._kept.of(target.url)), None)
        try:
            found = await self._fetching.newest(target, former)
        except RefusedError:
            self._kept.forget(target.url)
            raise
        except FetchError as error:
            if former is None:
                if target.name == "InRelease" and self._kept.of(target.sibling("Release").url):
                    raise RefusedError(404) from error  # as the mirror did when its Release was asked for: apt then asks for that
                raise
            self._complaints.about(target.url, f"{target.url}: {error}: apt gets the release that was fetched last")
            return former
        self._complaints.about(target.url, "")
        if former is not None and (_is_older(found, former, self._wall()) or not await self._is_complete(target, found, former)):
            return former
        if found is not former:
            self._kept.keep(found)
        return found

    async def _is_complete(self, target: Target, found: KeptRelease, former: KeptRelease) -> bool:
        """
        Returns whether the indexes of a new release can be had, as far as clients ask for them.

        A mirror that has them by their digests has those of several releases.  Of any other one it is seen only when they are fetched.
        """
        if found.release.by_hash or found.release.data == former.release.data:
            return True
        wanted = [entry for name in self._kept.names(target.url) if (entry := found.release.named(name)) is not None]
        until = self._clock.seconds() + HOLD_TIMEOUT
        for entry in wanted:
            holding = Deferred.fromCoroutine(self._hold(_known(target.folder, found, entry)))
            holding.addTimeout(max(0.0, until - self._clock.seconds()), self._clock)
            try:
                held = await holding
            except (DeferredTimeoutError, FetchError, RequestError):
                held = False
            if not held:
                trouble = f"{target.url}: the mirror has another {entry.path} than it names: apt gets the release before"
                self._complaints.about((target.url, "index"), trouble)
                return False
        self._complaints.about((target.url, "index"), "")
        return True

    def _by_digest(self, url: str, target: Target, path: str) -> KnownFile | None:
        folder, *rest = path.rsplit("/", 3) if path.count("/") > 2 else ("", *path.split("/"))
        if len(rest) != 3 or tuple(rest[:2]) != _BY_HASH or len(rest[2]) != 64:
            return None
        try:
            sha256 = bytes.fromhex(rest[2])
        except ValueError:
            return None
        for kept in self._kept.of(url):
            entry = kept.release.digested(folder, sha256)
            if entry is not None:
                return KnownFile(_stated(entry), (target.url,), _plain(self._kept.suites()[url], entry).url)
        return None

    def _by_name(self, url: str, folder: Target, path: str, client: IPAddress) -> KnownFile | None:
        kept = self._given_to(client, url)
        entry = None if kept is None else kept.release.named(path)
        if kept is None or entry is None:
            return None
        self._kept.asked_for(url, path)
        return _known(folder, kept, entry)

    def _give(self, client: IPAddress, url: str, kept: KeptRelease | None) -> None:
        given, key = self._memory(client)
        given.remember((key, url), b"" if kept is None else kept.release.digest, self._clock.seconds())

    def _given_to(self, client: IPAddress, url: str) -> KeptRelease | None:
        """Returns the release of a suite that a client was given last; after a restart the newest one."""
        given, key = self._memory(client)
        digest = given.get((key, url), self._clock.seconds())
        return next((kept for kept in self._kept.of(url) if digest in (None, kept.release.digest)), None)

    def _memory(self, client: IPAddress) -> tuple[ExpiringMemory[tuple[str, str], bytes], str]:
        return (self._given_here, "") if self._own(client) else (self._given, str(client))


def _headers(kept: KeptRelease) -> tuple[tuple[str, str], ...]:
    dated = () if kept.dated is None else (("Last-Modified", format_date(kept.dated)),)
    return (("Content-Type", "text/plain; charset=utf-8"), *dated)


def _is_older(found: KeptRelease, former: KeptRelease, now: float) -> bool:
    """Returns whether a mirror has gone back to an earlier release: apt drops one without a word, and its indexes would not fit."""
    earlier, later = found.release.date, former.release.date
    return earlier is not None and later is not None and earlier < later and not is_to_come(later, now)


def _stated(entry: IndexEntry) -> StatedFile:
    return StatedFile(entry.size, entry.sha256, label_of(entry.path.rpartition("/")[2]))


def _known(folder: Target, kept: KeptRelease, entry: IndexEntry) -> KnownFile:
    """Returns an index with the URLs by which the mirror has it."""
    plain = _plain(folder, entry)
    if not kept.release.by_hash:
        return KnownFile(_stated(entry), (plain.url,), plain.url)
    by_hash = plain.sibling("/".join((*_BY_HASH, entry.sha256.hex())))
    return KnownFile(_stated(entry), (by_hash.url, plain.url), plain.url)


def _plain(folder: Target, entry: IndexEntry) -> Target:
    return Target(folder.origin, (*folder.path, *entry.path.split("/")))
