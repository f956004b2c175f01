"""
A release and the indexes that it names are one snapshot: who was given a release gets the indexes of that one, or none.

Mirrors change while apt reads them, and caches are older than each other.  Either way apt would get an index that its release does not name, and
stop.  Here an index is handed out only as it is named by the release that the client was given last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.apt.completeness import BY_HASH, Completeness, Hold, known_file, stated_file
from pacserve.apt.kept_releases import KeptReleases
from pacserve.apt.kinds import RELEASE_FILES
from pacserve.apt.knowledge import KnownFile, Releases
from pacserve.apt.release_fetching import RefusedError, ReleaseFetching
from pacserve.apt.release_rules import Given, GivenReleases, KeptRelease, has_client, is_older
from pacserve.apt.targets import Target
from pacserve.bounded import ExpiringMemory
from pacserve.complaints import Complaints
from pacserve.errors import FetchError, RequestError
from pacserve.http.validators import format_date, parse_date
from pacserve.network.addresses import IPAddress
from pacserve.waiting import Waiters
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask

# Seconds until a client is answered: apt waits 30 s for the first byte.
ANSWER_TIMEOUT = 25.0
# Seconds until a release is fetched anew once more, and suites for which that is remembered.
DOUBT_INTERVAL = 60.0
_DOUBTS_LIMIT = 1024


class Time(NamedTuple):
    """
    The time of this process.

    Attributes:
        wall: Gives the seconds since the epoch.
    """

    clock: IReactorTime
    wall: Callable[[], float]


class _Question:
    """
    A question to a mirror for a release, for all clients that want it at the moment.

    Attributes:
        outcome: None until it is known.
    """

    def __init__(self) -> None:
        self.outcome: KeptRelease | FetchError | None = None
        self.ended = Waiters()


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
        self._completeness = Completeness(hold, time.clock)
        self._clock, self._wall = time
        self._running: dict[str, _Question] = {}
        self._given = GivenReleases(own)
        self._doubted: ExpiringMemory[str, bool] = ExpiringMemory(_DOUBTS_LIMIT, DOUBT_INTERVAL)
        self._complaints = Complaints(self._log)

    async def release(self, target: Target, ask: Ask) -> Answer:
        if target.name == "Release.gpg":
            return await self._signature(target, ask)
        since = parse_date(ask.header("If-Modified-Since") or "")
        kept = await self._newest(target, doubted=self._is_doubted(target, ask.client, since))
        given, now = self._given.of(ask.client, target.folder, self._clock.seconds()), self._wall()
        digest = given.digest if given is not None and given.url == kept.url else None
        if has_client(kept, since, digest, self._kept.of(kept.url), now):
            # A client that has a later one has it from elsewhere.
            self._give(ask.client, target, kept.release.digest if since == kept.dated(now) else b"")
            return DocumentAnswer(b"", _headers(kept, now), 304, origin=_origin(kept))
        self._give(ask.client, target, kept.release.digest)
        return DocumentAnswer(kept.release.data, _headers(kept, now), origin=_origin(kept))

    def find(self, target: Target, client: IPAddress) -> KnownFile | None:
        for count in range(len(target.path) - 1, -1, -1):
            folder = Target(target.origin, target.path[:count])
            releases = self._kept.below(folder)
            if releases:
                path = "/".join(target.path[count:])
                found = _by_digest(releases, target, path) or self._by_name(releases, folder, path, client)
                if found is not None:
                    return found
        return None

    async def _signature(self, target: Target, ask: Ask) -> Answer:
        """Answers with the signature of the Release that the client was given last."""
        release = target.sibling("Release")
        given = self._given.of(ask.client, target.folder, self._clock.seconds())
        if given is not None and given.url == release.url and given.digest:
            kept = self._kept_as(given)
        else:
            kept = await self._newest(release)
        if not kept.signature:
            raise RequestError(404, f"{target.url}: the mirror has no signature of its Release")
        return DocumentAnswer(kept.signature, (("Content-Type", "application/pgp-signature"),), origin=_origin(kept))

    def _is_doubted(self, target: Target, client: IPAddress, since: int | None) -> bool:
        """
        Returns whether a client did not take the newest release that it was given: apt asks by the time of one whose signature it has verified.

        Bytes may have been changed on the way, and only apt knows the keys.  As long as the mirror says that nothing has changed, or has a release
        that looks older, everybody would be given them.
        """
        newest, given, now = self._kept.newest(target.url), self._given.of(client, target.folder, self._clock.seconds()), self._clock.seconds()
        dated = None if newest is None else newest.dated(self._wall())
        if newest is None or dated is None or given is None or (given.url, given.digest) != (newest.url, newest.release.digest):
            return False
        if (since is not None and since >= dated) or self._doubted.get(target.url, now):
            return False
        self._doubted.remember(target.url, True, now)
        return True

    async def _newest(self, target: Target, *, doubted: bool = False) -> KeptRelease:
        """
        Returns the release that is handed out now: the mirror is asked once for all clients that want it at the moment.

        Args:
            doubted: True if the one that is kept may be damaged: the mirror is asked for all of its own, and that one goes out also if it is older.

        Raises:
            RequestError: There is none.
        """
        question = self._running.get(target.url)
        if question is None:
            question = self._running[target.url] = _Question()
            self._complaints.hear(Deferred.fromCoroutine(self._ask(target, question, doubted=doubted)), "asking for a release")
        if question.outcome is None:
            await question.ended.wait()
        outcome = question.outcome or FetchError("a defect of this daemon")
        if isinstance(outcome, RefusedError):
            raise RequestError(outcome.status, f"{target.url}: {outcome}")
        if isinstance(outcome, FetchError):
            raise RequestError(503, f"{target.url}: {outcome}")
        return outcome

    async def _ask(self, target: Target, question: _Question, *, doubted: bool) -> None:
        try:
            question.outcome = await self._decided(target, doubted=doubted)
        except FetchError as error:
            question.outcome = error
        finally:
            del self._running[target.url]
            question.ended.wake()

    async def _decided(self, target: Target, *, doubted: bool) -> KeptRelease:
        """
        Returns the mirror's release, or the last good one where that can't be handed out.

        Raises:
            FetchError: There is none.
        """
        former, until = self._kept.newest(target.url), self._clock.seconds() + ANSWER_TIMEOUT
        try:
            found = await self._fetching.newest(target, replace(former, modified=None, etag="") if former is not None and doubted else former)
        except RefusedError:
            self._kept.withdraw(target.url)
            raise
        except FetchError as error:
            if former is None:
                if target.name == "InRelease" and self._kept.newest(target.sibling("Release").url) is not None:
                    raise RefusedError(404) from error  # as the mirror did when its Release was asked for: apt then asks for that
                raise
            self._complaints.about(target.url, f"{target.url}: {error}: apt gets the release that was fetched last")
            return former
        if former is not None and not doubted and is_older(found, former, self._wall()):
            self._complaints.about(target.url, f"{target.url}: the mirror has an older release than before: apt gets the one that was fetched last")
            return former
        self._complaints.about(target.url, "")
        if former is not None and not await self._is_complete(found, former, until):
            return self._kept.newest(target.url) or former
        self._take(found, doubted=doubted)
        return found

    async def _is_complete(self, found: KeptRelease, former: KeptRelease, until: float) -> bool:
        """
        Returns whether the indexes of a new release can be had, as far as clients ask for them.

        A mirror that has them by their digests has those of several releases.  Of any other one it is seen only when they are fetched.
        """
        names = self._kept.names(found.url)
        if found.release.by_hash or found.release.data == former.release.data or not names:
            return True
        return await self._completeness.of(found, former, names, lambda: self._take(found), until) is True

    def _take(self, found: KeptRelease, *, doubted: bool = False) -> None:
        """Keeps a release that is handed out, unless it is kept as the newest already."""
        newest = self._kept.newest(found.url)
        if newest == found:
            self._kept.used(found.url)
        elif newest is None or doubted or not is_older(found, newest, self._wall()):
            self._kept.keep(found)

    def _by_name(self, releases: Sequence[KeptRelease], folder: Target, path: str, client: IPAddress) -> KnownFile | None:
        """
        Returns an index as the release states it that the client has; where that is not known, as after a restart, the newest one.

        Raises:
            RequestError: 503, that release is not kept any more.
        """
        if path in RELEASE_FILES:  # some releases list themselves, and can't state their own digest
            return None
        given = self._given.of(client, folder, self._clock.seconds())
        if given is None:
            newest = [kept for kept in releases if kept is self._kept.newest(kept.url)]
            kept = max(newest, key=lambda kept: kept.release.date or 0, default=None)
        elif not given.digest or all(kept.release.named(path) is None for kept in releases):
            return None
        else:
            kept = self._kept_as(given)
        entry = None if kept is None else kept.release.named(path)
        if kept is None or entry is None:
            return None
        if not kept.release.by_hash:
            self._kept.asked_for(kept.url, path)
        return known_file(kept, entry)

    def _give(self, client: IPAddress, target: Target, digest: bytes) -> None:
        self._given.give(client, target.folder, Given(target.url, digest), self._clock.seconds())

    def _kept_as(self, given: Given) -> KeptRelease:
        """
        Returns the release that a client has.

        Raises:
            RequestError: 503, it is not kept any more: what the mirror has by now would not fit.
        """
        for kept in self._kept.of(given.url):
            if kept.release.digest == given.digest:
                return kept
        raise RequestError(503, f"{given.url}: there were several releases since apt was given its one: update once more")


def _by_digest(releases: Sequence[KeptRelease], target: Target, path: str) -> KnownFile | None:
    parts = path.split("/")
    if len(parts) < 3 or tuple(parts[-3:-1]) != BY_HASH or len(parts[-1]) != 64:
        return None
    try:
        sha256 = bytes.fromhex(parts[-1])
    except ValueError:
        return None
    for kept in releases:
        entry = kept.release.digested("/".join(parts[:-3]), sha256)
        if entry is not None:
            return KnownFile(stated_file(entry), (target.url,), known_file(kept, entry).plain)
    return None


def _headers(kept: KeptRelease, now: float) -> tuple[tuple[str, str], ...]:
    dated = kept.dated(now)
    return (("Content-Type", "text/plain; charset=utf-8"), *(() if dated is None else (("Last-Modified", format_date(dated)),)))


def _origin(kept: KeptRelease) -> str:
    """Returns where a release is from, for the access log: this host keeps a copy, as of pacman's databases."""
    scheme, _, rest = kept.url.partition("://")
    return f"copy of mirror {scheme}://{rest.partition('/')[0]}"
