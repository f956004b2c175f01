"""Indexes come from a mirror; this host asks once for all clients that want one, and keeps the last good copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.errors import AbsentError, FetchError, PacserveError, RequestError, plain_reason, reason_of
from pacserve.fetch.answers import IncomingBody
from pacserve.fetch.rate import UNLIMITED, Limits
from pacserve.http.validators import believed_date, parse_date
from pacserve.indexes.copies import Copies
from pacserve.indexes.freshness import Copy, believed_etag, is_impossible
from pacserve.indexes.judging import JudgedMirror, WantedIndex, judged
from pacserve.indexes.revalidation import InThread, Plan, Revalidation, ask, begun, examined, is_as_new
from pacserve.indexes.rules import IndexRules
from pacserve.indexes.sharing import Revalidations
from pacserve.mirrors.health import Absences
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, LocalFile, Location, Offer, RunningDownload
from pacserve.sources.upstreams import Upstreams
from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.download import Download
from pacserve.transfer.downloads import EndedDownloads
from pacserve.transfer.reading import DownloadedFile
from pacserve.transfer.terms import Terms

# Seconds that the mirrors have until the last good copy is served: pacman gives up after 10, and the resolver after 7.5.
MIRRORS_BUDGET = 6.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """
    Time and threads.

    Attributes:
        wall: Gives the seconds since the epoch.
        in_thread: Does in a thread what may take a while.
    """

    clock: IReactorTime
    wall: Callable[[], float]
    in_thread: InThread


class DatabaseSource(PackageSource):
    """
    Fetches indexes, and every other file of a repository that is no package, and serves the last good copy where no mirror can give one.

    A signature comes from the mirror that its index came from, and from nowhere else, or the two might not fit.

    Args:
        directory: Where the copies are kept.
    """

    _log = Logger()

    def __init__(self, directory: str, rules: IndexRules, upstreams: Upstreams, runtime: Runtime, limits: Limits = UNLIMITED) -> None:
        self._copies = Copies(directory, rules.size_limit)
        self._rules = rules
        self._upstreams = upstreams
        self._clock = runtime.clock
        self._wall = runtime.wall
        self._in_thread = runtime.in_thread
        self._limits = limits
        self._absences = Absences()
        self._revalidations = Revalidations(self._revalidate, lambda copy: _key(copy) in self._unconfirmed)
        self._ended = EndedDownloads(runtime.clock)
        # Copies that were served without any mirror having confirmed that they are of today.
        self._unconfirmed: set[tuple[str, str, str]] = set()
        # Repositories without a mirror, of which the log knows.
        self._down: set[str] = set()

    @property
    def best(self) -> Rank:
        return Rank.DOWNLOAD

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        if wanted.request.kind is not FileKind.DATABASE:
            return ()
        return (Candidate(Rank.DOWNLOAD, Offer(Holder.INDEX), partial(self.settle, wanted.request, forced=wanted.forced)),)

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        if wanted.request.kind is not FileKind.DATABASE:
            return ()
        return (Considered("databases", Rank.DOWNLOAD, "", Offer(Holder.INDEX)),)

    def start(self) -> None:
        """Cleans the folder up.  One that can't be used is logged."""
        self._copies.open()

    def stop(self) -> None:
        """Ends what is being fetched."""
        self._revalidations.stop()
        self._ended.close()

    async def settle(self, request: FileRequest, deadline: float, *, forced: bool = False) -> Location:
        """
        Returns a file, or the part of it that has arrived.

        Args:
            forced: True if no date may keep the mirror's file from being fetched.

        Raises:
            RequestError: 404 where the mirror of an index has no signature of it, 504 where it can't say: no other host is to be asked.
            AbsentError: No mirror has the file.
            FetchError: It can't be fetched here, and there is no copy.
        """
        reasons = self._absences.get(request, self._clock.seconds())
        if reasons is not None:
            raise self._absent_error(request, reasons)
        await self._revalidations.checked(request)
        outcome = await self._revalidations.outcome(request, forced=forced)
        if isinstance(outcome, Download):
            return RunningDownload(DownloadedFile(outcome, self._clock), "downloaded", Holder.INDEX)
        held = self._copies.hold(outcome)
        if held is None:
            raise FetchError("the copy has gone")
        return LocalFile(held, f"copy of {outcome.mirror}", Holder.INDEX)

    async def _revalidate(self, request: FileRequest, revalidation: Revalidation, forced: bool) -> None:
        try:
            if self._rules.is_signature(request.name):
                # It must fit the index that was served last, which is the copy only once it has been checked.
                await self._revalidations.checked(replace(request, name=self._rules.signed_by(request.name)))
            await self._fetch(self._plan(request, forced=forced), revalidation)
        except PacserveError as error:
            revalidation.decide(error)
        except CancelledError:
            revalidation.decide(FetchError("this daemon stops"))
        except OSError as error:
            self._copies.failed(error)
            revalidation.decide(FetchError(f"the spool can't be used: {plain_reason(error)}"))
        except Exception:
            self._log.failure("fetching {request}", request=request)
            revalidation.decide(FetchError("a defect of this daemon"))

    def _plan(self, request: FileRequest, *, forced: bool) -> Plan:
        copy = self._copies.find(request)
        if not self._rules.is_signature(request.name):
            wanted = WantedIndex(request.name, self._rules, copy, None if copy is None else copy.newest, self._wall, forced=forced)
            return Plan(request, wanted, judged(self._upstreams.upstreams(request), wanted, self._clock), copy)
        whole = self._copies.find(replace(request, name=self._rules.signed_by(request.name)))
        if whole is None:
            raise FetchError("the index that it would be the signature of is not here")
        if copy is not None and copy.belongs != whole.sha256:
            copy = None  # it is the signature of an earlier index
        wanted = WantedIndex(request.name, self._rules, copy, None, self._wall, forced=forced)
        mirrors = judged(self._upstreams.upstreams(request), wanted, self._clock)
        mirrors = [mirror for mirror in mirrors if mirror.identity == whole.mirror]
        return Plan(request, wanted, () if _key(whole) in self._unconfirmed else mirrors, copy, whole)

    async def _fetch(self, plan: Plan, revalidation: Revalidation) -> None:
        until = self._clock.seconds() + MIRRORS_BUDGET
        try:
            mirror, body = await ask(plan, until, self._clock)
        except AbsentError as error:
            raise self._absent(plan, error) from error
        except FetchError as error:
            if not await self._fetched_undated(plan, until, revalidation):
                revalidation.decide(self._fall_back(plan, error))
            return
        if body is None:
            revalidation.decide(self._confirmed(plan, mirror))
            return
        download = self._download(plan, mirror, body)
        running = Deferred.fromCoroutine(self._run(plan, download))
        try:
            # Only a download whose file begins as an index does is served; until then the copy may still be.
            if await begun(download, until, self._clock):
                revalidation.decide(download)
                await running
                return
        finally:
            running.cancel()
        revalidation.decide(self._fall_back(plan, FetchError(f"{mirror.label}: nothing came that is of use")))

    async def _fetched_undated(self, plan: Plan, until: float, revalidation: Revalidation) -> bool:
        """
        Fetches the file from a mirror that does not say how old it is, as the last resort: all of it, before any client gets a byte.

        What takes longer than there is time is kept for the next request.

        Returns:
            True if something was decided.
        """
        wanted, copy = plan.wanted, plan.copy
        if not wanted.undated or copy is None or (copy.built is None and not wanted.forced):
            return False
        wanted = replace(wanted, any_age=True, undated=[])
        plan = replace(plan, wanted=wanted, mirrors=[mirror.asked_anew(wanted) for mirror in plan.wanted.undated])
        try:
            mirror, body = await ask(plan, until, self._clock)
        except FetchError:
            return False
        if body is None:
            revalidation.decide(self._confirmed(plan, mirror))
            return True
        running = Deferred.fromCoroutine(self._run(plan, self._download(replace(plan, mirrors=[mirror]), mirror, body)))
        late = FetchError(f"{mirror.label}: it takes too long to see how old its file is")
        timer = self._clock.callLater(max(0.0, until - self._clock.seconds()), lambda: revalidation.decide(self._fall_back(plan, late)))
        try:
            kept = await running
        finally:
            running.cancel()
            if timer.active():
                timer.cancel()
        if kept is not None:
            revalidation.decide(kept)
        return kept is not None

    def _download(self, plan: Plan, mirror: JudgedMirror, body: IncomingBody) -> Download:
        """
        Returns a download that begins with an answer that was read for its head; the other mirrors go on where that mirror fails.

        Raises:
            FetchError: There is no room for it; the answer is dropped.
        """
        if not self._copies.has_room(body.answer.length or 0):
            body.drop()
            raise FetchError("the spool's disk is full")
        mirror.begin(body)
        others = [other for other in plan.mirrors if other is not mirror]
        try:
            arrival = Arrival(None, Storage(self._copies.create, limit=plan.wanted.limit))
        except OSError as error:
            body.drop()
            raise FetchError(f"the spool can't be written: {plain_reason(error)}") from error
        return Download(plan.request.name, arrival, [mirror, *others], self._clock, Terms(self._limits))

    async def _run(self, plan: Plan, download: Download) -> Copy | None:
        """Returns the copy that a download has become; None where it is not kept.  Never raises."""
        try:
            await download.run()
            found = await examined(plan, download, self._in_thread)
            if found.whole and is_as_new(plan, found.built):
                return self._keep(plan, download, found.built)
        except FetchError as error:
            self._log.debug("{request} could not be fetched: {error}", request=plan.request, error=error)
        except OSError as error:
            self._log.debug("{request} could not be kept: {error}", request=plan.request, error=reason_of(error))
            self._copies.failed(error)
        except CancelledError:
            self._log.debug("{request} is not fetched any more", request=plan.request)
        except Exception:
            self._log.failure("fetching {request}", request=plan.request)
        finally:
            for file in download.files:
                self._copies.discard(file.file)
            self._ended.add(download)
        return None

    def _keep(self, plan: Plan, download: Download, built: int | None) -> Copy:
        request, file, version = plan.request, download.file, download.version
        stated, etag = ("", "") if version is None else (version.modified, version.etag)
        modified = believed_date(stated, self._wall())
        if is_impossible(modified, built):
            modified = None
        copy = Copy(
            request.repo,
            request.arch,
            request.name,
            "",
            file.written,
            file.sha256.hex(),
            plan.wanted.giver,
            modified,
            believed_etag(etag) if modified is not None or not stated else "",
            "" if plan.whole is None else plan.whole.sha256,
            built=built,
        )
        copy = self._copies.keep(file.file, copy, parse_date(stated))
        self._absences.forget(replace(request, name=self._rules.signature_of(request.name)))
        self._note_answer(plan, copy)
        if plan.whole is not None:
            self._note_signed(plan.whole, signed=True)
        return copy

    def _confirmed(self, plan: Plan, mirror: JudgedMirror) -> Copy:
        """Returns the copy, which a mirror has confirmed."""
        copy = plan.copy
        if copy is None:
            raise FetchError(f"{mirror.label}: it compared with nothing")
        if copy.mirror != mirror.identity:
            copy = replace(copy, mirror=mirror.identity, etag="")
            try:
                self._copies.note(copy)
            except OSError as error:
                raise FetchError(f"the spool can't be written: {plain_reason(error)}") from error
        self._note_answer(plan, copy)
        return copy

    def _note_answer(self, plan: Plan, copy: Copy) -> None:
        """Notes that a mirror answered, so that the next failure is logged again."""
        if plan.whole is None:
            self._unconfirmed.discard(_key(copy))
            self._down.discard(copy.repo)

    def _fall_back(self, plan: Plan, error: FetchError) -> Copy:
        """
        Returns the last good copy, since no mirror could be asked.

        Raises:
            RequestError: There is none of a signature, and no other one would do.
            FetchError: There is none.
        """
        request, copy = plan.request, plan.copy
        if plan.whole is not None:
            if copy is not None:
                return copy
            if plan.whole.unsigned:
                raise RequestError(404, f"{request}: {plan.whole.mirror} has no signature", plan.whole.mirror)
            raise RequestError(504, f"{request}: its database is of {plan.whole.mirror}, which can't be asked: {error}", plan.whole.mirror)
        if copy is None:
            raise error
        self._unconfirmed.add(_key(copy))
        if request.repo not in self._down:
            self._down.add(request.repo)
            self._log.warn("{request} can't be had from a mirror; the last good copy is served: {error}", request=request, error=error)
        return copy

    def _absent(self, plan: Plan, error: AbsentError) -> PacserveError:
        """Remembers that all mirrors that were asked have no such file, and returns the error that says so."""
        self._absences.remember(plan.request, str(error), self._clock.seconds())
        if plan.whole is not None:
            self._note_signed(plan.whole, signed=False)
        return self._absent_error(plan.request, str(error))

    def _note_signed(self, whole: Copy, *, signed: bool) -> None:
        """Remembers whether an index has a signature, for when its mirror can't be asked."""
        known = self._copies.find(FileRequest(whole.repo, whole.arch, whole.name, FileKind.DATABASE))
        if known is None or known.data != whole.data or known.unsigned is not signed:
            return
        try:
            self._copies.note(replace(known, unsigned=not signed))
        except OSError as error:
            self._log.debug("{name}: {error}", name=whole.name, error=reason_of(error))

    def _absent_error(self, request: FileRequest, reasons: str) -> PacserveError:
        """Returns the error for a file that no mirror has: of a signature only one mirror was to be asked, and no other host is."""
        return RequestError(404, f"{request}: {reasons}", reasons) if self._rules.is_signature(request.name) else AbsentError(reasons)


def _key(copy: Copy) -> tuple[str, str, str]:
    return copy.repo, copy.arch, copy.name
