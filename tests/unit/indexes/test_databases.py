"""Tests for `pacserve.indexes.databases`, `pacserve.indexes.judging` and `pacserve.indexes.sharing`."""

import bz2
import gzip
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.errors import AbsentError, FetchError, RequestError
from pacserve.fetch.hedging import RESERVE_DELAY
from pacserve.http.validators import format_date, not_modified_since
from pacserve.indexes import copies
from pacserve.indexes.databases import MIRRORS_BUDGET, DatabaseSource, Runtime
from pacserve.indexes.rules import Examined, IndexRules
from pacserve.indexes.sharing import REVALIDATIONS_LIMIT
from pacserve.mirrors.health import ABSENCE_LIFETIME
from pacserve.network.addresses import parse_address
from pacserve.packages.files import FileKind, FileRequest
from pacserve.pacman.indexes import DATABASE_LIMIT, PACMAN_INDEXES
from pacserve.sources.candidates import Rank, Wanted
from pacserve.sources.locations import LocalFile, Location, RunningDownload
from pacserve.sources.upstreams import Upstream, Upstreams
from pacserve.transfer.choosing import SECOND_SOURCE_DELAY
from pacserve.transfer.downloads import CLOSE_DELAY
from pacserve.transfer.reading import TRICKLE_RESERVE_BYTES
from tests.fakes.upstreams import Body, Head, Mirror

NOW = 1_800_000_000
OLD, MIDDLE, NEW = NOW - 3000, NOW - 2000, NOW - 1000
FIRST, SECOND, THIRD = (gzip.compress(Random(number).randbytes(5000), mtime=0) for number in range(3))
PAGE = b"<html>Welcome to the airport. Please pay.</html>" * 100
DATABASE = FileRequest("core", "x86_64", "core.db", FileKind.DATABASE)
SIGNATURE = FileRequest("core", "x86_64", "core.db.sig", FileKind.DATABASE)
PACKAGE = FileRequest("core", "x86_64", "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", FileKind.PACKAGE)


@dataclass
class Published:
    """
    A file on a mirror.

    Attributes:
        modified: Seconds since the epoch, None for no Last-Modified.
    """

    data: bytes
    modified: int | None
    etag: str = ""


class Repository(Mirror):
    """
    A mirror that has files, and says 304 as nginx does: where the date is the very same.

    Attributes:
        lenient: It says 304 for older files as well, as Apache does.
        absence: Its status for a file that it does not have: some stores say 403.
        names: What was asked for, with the status that was given.
    """

    def __init__(self, clock: Clock, label: str) -> None:
        super().__init__(clock, label, b"")
        self.files: dict[str, Published] = {}
        self.lenient = False
        self.absence = 404
        self.names: list[tuple[str, int]] = []

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> Body:
        file = self.files.get(name)
        self.names.append((name, 0))
        if file is None:
            if not self.faults.get("refuses") and not self.faults.get("silent"):
                self.names[-1] = (name, self.absence)
                return self._body(Head(self.absence, 0), b"", "ends")
            file = Published(b"", None)
        self.data = file.data
        self.faults["etag"], self.faults["modified"] = file.etag, "" if file.modified is None else format_date(file.modified)
        body = await super().open(name, headers, timeout)
        if self._unchanged(file, headers):
            body = self._body(Head(304, None, body.answer.headers), b"", "ends")
        self.names[-1] = (name, body.answer.status)
        return body

    def _unchanged(self, file: Published, headers: Mapping[str, str]) -> bool:
        if "If-None-Match" in headers and file.etag:
            return headers["If-None-Match"] == file.etag
        since = headers.get("If-Modified-Since")
        if since is None or file.modified is None:
            return False
        return since == format_date(file.modified) or (self.lenient and not_modified_since(since, file.modified))


class Mirrors(Upstreams):
    """These mirrors, for every file."""

    def __init__(self) -> None:
        self.mirrors: list[Repository] = []

    def upstreams(self, request: FileRequest) -> Sequence[Upstream]:
        return self.mirrors


@implementer(ILogObserver)
class Warnings(list[str]):
    """The warnings in the log."""

    def __call__(self, event: LogEvent) -> None:
        if event["log_level"].name == "warn":
            self.append(formatEvent(event))


class Setup(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "databases"
        self.clock = Clock()
        self.busy: Deferred[None] | None = None
        self.upstreams = Mirrors()
        self.warnings = Warnings()
        globalLogPublisher.addObserver(self.warnings)
        self.addCleanup(globalLogPublisher.removeObserver, self.warnings)
        self.a, self.b = self.mirror("a"), self.mirror("b")
        self.source = self.restarted()

    def mirror(self, label: str) -> Repository:
        """One more mirror."""
        self.upstreams.mirrors.append(Repository(self.clock, label))
        return self.upstreams.mirrors[-1]

    def restarted(self, rules: IndexRules = PACMAN_INDEXES) -> DatabaseSource:
        """A daemon on the same folder."""
        self.source = DatabaseSource(str(self.folder), rules, self.upstreams, Runtime(self.clock, lambda: NOW, self.in_thread))
        self.source.start()
        self.addCleanup(self.source.stop)
        return self.source

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """Does some work, at once or when the test says so."""
        if self.busy is not None:
            await self.busy
        return work()

    def publish(self, *mirrors: Repository, data: bytes = FIRST, modified: int | None = MIDDLE, etag: str = "", name: str = "core.db") -> None:
        """Puts a file on these mirrors."""
        for mirror in mirrors:
            mirror.files[name] = Published(data, modified, etag)

    def down(self, *mirrors: Repository, fault: str = "refuses") -> None:
        """Only these mirrors do not answer."""
        for mirror in self.upstreams.mirrors:
            mirror.faults.pop("refuses", None)
            mirror.faults.pop("silent", None)
        for mirror in mirrors:
            mirror.faults[fault] = True

    def settle(self, request: FileRequest = DATABASE, *, forced: bool = False) -> Deferred[Location]:
        """Begins to answer a request."""
        (candidate,) = self.source.candidates(Wanted(request, None, parse_address("127.0.0.1"), forced=forced))
        self.assertEqual(candidate.rank, Rank.DOWNLOAD)
        return Deferred.fromCoroutine(candidate.settle(self.clock.seconds() + 7.5))

    def get(self, request: FileRequest = DATABASE, *, forced: bool = False) -> tuple[bytes, str]:
        """All that a client gets, and whether it is streamed or a copy."""
        return self.content(self.successResultOf(self.settle(request, forced=forced)))

    def content(self, answer: Location) -> tuple[bytes, str]:
        if isinstance(answer, LocalFile):
            with answer.held.file as file:
                data = file.read()
            self.assertEqual(len(data), answer.held.size)
            return data, "copy"
        assert isinstance(answer, RunningDownload)
        reader = answer.file.reader()
        self.addCleanup(reader.close)
        data = b""
        while self.successResultOf(Deferred.fromCoroutine(reader.more(len(data)))):
            data += reader.read(len(data), 1000)
        return data, "stream" if reader.whole else "cut off"

    def asked(self) -> list[tuple[str, int]]:
        """Returns the mirrors that were asked since the last call, and the status that each gave."""
        found = [(mirror.label, status) for mirror in self.upstreams.mirrors for _, status in mirror.names]
        for mirror in self.upstreams.mirrors:
            mirror.names.clear()
        return found

    def seen(self, data: bytes = FIRST, modified: int | None = MIDDLE, etag: str = "") -> None:
        """This host has fetched the database from the first mirror."""
        self.publish(self.a, self.b, data=data, modified=modified, etag=etag)
        self.assertEqual(self.get(), (data, "stream"))
        self.asked()


class FetchTests(Setup):
    def test_kinds(self) -> None:
        """Databases are fetched here, and packages elsewhere."""
        self.assertEqual(self.source.best, Rank.DOWNLOAD)
        self.assertEqual(self.source.candidates(Wanted(PACKAGE, None, parse_address("127.0.0.1"))), ())

    def test_fetched(self) -> None:
        """A database is handed on as it arrives, with the time of the mirror, and only one mirror is asked."""
        self.publish(self.a, self.b)
        answer = self.successResultOf(self.settle())
        assert isinstance(answer, RunningDownload)
        self.assertEqual((self.content(answer), answer.file.modified), ((FIRST, "stream"), MIDDLE))
        self.assertEqual((self.asked(), self.a.verdicts), ([("a", 200)], ["succeeded"]))

    def test_shared(self) -> None:
        """All who ask at the same moment share one request, whether they come before or after the head, and the first may leave."""
        self.publish(self.a, self.b)
        self.a.faults["silent"] = True
        leaving, first, second = self.settle(), self.settle(), self.settle()
        leaving.cancel()
        self.failureResultOf(leaving)
        self.a.faults.pop("silent")
        self.b.faults.update(dies_at=[3000], dying="stalls")
        self.clock.advance(SECOND_SOURCE_DELAY)
        third = self.settle()
        answers = [self.successResultOf(one) for one in (first, second, third)]
        self.assertEqual(self.asked(), [("a", 0), ("b", 200)])
        self.clock.pump([0.5] * 8)
        self.assertEqual([self.content(answer) for answer in answers], [(FIRST, "stream")] * 3)

    def test_not_modified(self) -> None:
        """An index that has not changed costs a 304, and the copy is served with the time that the mirror stated."""
        self.seen(etag='"e"')
        answer = self.successResultOf(self.settle())
        assert isinstance(answer, LocalFile)
        self.assertEqual((answer.held.modified, answer.held.name), (MIDDLE, "core.db"))
        self.assertEqual((self.content(answer), self.asked()), ((FIRST, "copy"), [("a", 304)]))
        self.assertEqual(self.a.asked[-1], {"If-Modified-Since": format_date(MIDDLE), "If-None-Match": '"e"'})

    def test_entity_tag_of_another(self) -> None:
        """A mirror is not sent the entity tag of another one, which would keep it from comparing the date."""
        self.seen(etag='"e"')
        self.publish(self.b, etag='"f"')
        self.down(self.a)
        self.assertEqual(self.get(), (FIRST, "copy"))
        self.assertEqual((self.b.asked[-1], self.asked()), ({"If-Modified-Since": format_date(MIDDLE)}, [("a", 0), ("b", 304)]))

    def test_equal(self) -> None:
        """A 200 for what the copy is is not read."""
        self.seen(modified=None, etag='"e"')
        self.publish(self.b, modified=None, etag='"e"')
        self.down(self.a)
        self.assertEqual(self.get(), (FIRST, "copy"))
        self.assertEqual((self.b.bodies[-1].dropped, self.b.bodies[-1].consumed), (True, False))

    def test_updated(self) -> None:
        """An index that has changed is fetched, and takes the place of the copy."""
        self.seen()
        self.publish(self.a, data=SECOND, modified=NEW)
        self.assertEqual(self.get(), (SECOND, "stream"))
        self.assertEqual(self.get(), (SECOND, "copy"))
        self.assertEqual(len(list(self.folder.iterdir())), 2)

    def test_older(self) -> None:
        """A mirror that has an older one is passed over and not blamed, and the next one is asked."""
        self.seen()
        self.publish(self.a, data=SECOND, modified=OLD)
        self.a.verdicts.clear()
        for data, modified, how in ((FIRST, MIDDLE, "copy"), (THIRD, NEW, "stream")):
            self.publish(self.b, data=data, modified=modified)
            self.assertEqual(self.get(), (data, how))
            self.assertEqual([label for label, _ in self.asked()], ["a", "b"])
        self.assertEqual((self.a.verdicts, self.a.bodies[-1].dropped, self.warnings), ([], True, []))

    def test_all_older(self) -> None:
        """An index is never replaced by an older one, not by a server either that says 304 for an older file."""
        self.seen()
        self.publish(self.a, self.b, data=SECOND, modified=OLD)
        for lenient in (False, True):
            self.a.lenient = self.b.lenient = lenient
            self.assertEqual(self.get(), (FIRST, "copy"))
            self.assertEqual(self.asked(), [("a", 304 if lenient else 200), ("b", 304 if lenient else 200)])

    def test_undated(self) -> None:
        """An answer without a date counts as news only from the mirror that the copy is of."""
        self.seen()
        self.publish(self.b, data=SECOND, modified=None)
        self.down(self.a)
        self.assertEqual(self.get(), (FIRST, "copy"))
        self.down()
        self.publish(self.a, data=THIRD, modified=None)
        self.assertEqual(self.get(), (THIRD, "stream"))

    def test_future(self) -> None:
        """A date to come is not believed, nor handed on: it would keep off every update until then."""
        self.publish(self.a, modified=NOW + 10 * 86_400)
        answer = self.successResultOf(self.settle())
        assert isinstance(answer, RunningDownload)
        self.assertIsNone(answer.file.modified)
        self.publish(self.a, data=SECOND, modified=NEW)
        self.assertEqual(self.get(), (SECOND, "stream"))

    def test_absent(self) -> None:
        """A file that every mirror says it has not is absent; when one could not say, it is not."""
        self.failureResultOf(self.settle(), AbsentError)
        self.clock.advance(ABSENCE_LIFETIME)
        self.down(self.b)
        self.assertNotIsInstance(self.failureResultOf(self.settle(), FetchError).value, AbsentError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_mirror(self) -> None:
        """Without a mirror there is nothing to fetch."""
        self.upstreams.mirrors.clear()
        self.failureResultOf(self.settle(), FetchError)

    def test_failover(self) -> None:
        """Where a mirror dies in mid-file another one with the same goes on at that byte, and counts as who gave it."""
        self.publish(self.a, self.b)
        self.publish(self.b, data=b"signature", name="core.db.sig")
        self.a.faults.update(dies_at=[3000])
        self.assertEqual(self.get(), (FIRST, "stream"))
        self.assertEqual(self.asked(), [("a", 200), ("b", 206)])
        self.assertEqual(self.get(SIGNATURE), (b"signature", "stream"))
        self.assertEqual(self.asked(), [("b", 200)])

    def test_failover_to_older(self) -> None:
        """Where a mirror dies in mid-file one that has an older file does not go on: the client is cut off, and the next one is served the copy."""
        self.seen()
        self.publish(self.a, data=SECOND, modified=NEW)
        self.a.faults.update(dies_at=[None, 3000, *[0] * 500], dying="stalls")
        answer = self.successResultOf(self.settle())
        assert isinstance(answer, RunningDownload)
        reader = answer.file.reader()
        self.addCleanup(reader.close)
        self.assertEqual(reader.read(0, 5000), SECOND[: 3000 - TRICKLE_RESERVE_BYTES])
        self.a.faults.update(dying="breaks")
        self.clock.pump([0.5] * 20)
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(reader.more(3000))))
        self.assertFalse(reader.whole or any(body.consumed for body in self.b.bodies))
        self.assertEqual(self.get()[0], FIRST)

    def test_too_many(self) -> None:
        """Only so many are fetched at the same time; when the daemon stops all end, and no mirror is to blame."""
        self.down(self.a, self.b, fault="silent")
        requests = [FileRequest("core", "x86_64", f"{number}.db", FileKind.DATABASE) for number in range(REVALIDATIONS_LIMIT + 1)]
        waiting = [self.settle(request) for request in requests]
        self.failureResultOf(waiting.pop(), FetchError)
        self.source.stop()
        for one in waiting:
            self.failureResultOf(one, FetchError)
        self.assertEqual((self.clock.getDelayedCalls(), self.a.verdicts), ([], []))

    def test_files_are_closed(self) -> None:
        """An ended download can be opened for some seconds, and is closed then."""
        self.publish(self.a)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        self.get()
        self.clock.advance(CLOSE_DELAY)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), before + 1)  # noqa: PTH208 - the reader of this test
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PageTests(Setup):
    def test_page(self) -> None:
        """A page in the place of a database reaches nobody: its mirror has failed, and the next one gives the file."""
        self.publish(self.a, data=PAGE, modified=NOW)
        self.publish(self.b)
        self.assertEqual(self.get(), (FIRST, "stream"))
        self.assertEqual(self.a.verdicts, ["lied"])

    def test_only_pages(self) -> None:
        """Where there are only pages the copy is served, and nothing where there is none; a page is never kept."""
        for page in (PAGE, b"<", b""):
            self.publish(self.a, self.b, data=page, modified=NOW)
            self.failureResultOf(self.settle(), FetchError)
        self.seen()
        for page in (PAGE, b"<"):
            self.publish(self.a, self.b, data=page, modified=NOW)
            self.assertEqual(self.get(), (FIRST, "copy"))

    def test_other_files(self) -> None:
        """A file that is no index may begin with any bytes."""
        self.publish(self.a, data=b"1800000000\n", name="lastupdate")
        self.assertEqual(self.get(FileRequest("core", "x86_64", "lastupdate", FileKind.DATABASE)), (b"1800000000\n", "stream"))

    def test_too_long(self) -> None:
        """A file that is longer than pacman takes is not read, whether the mirror states its length or not."""
        self.publish(self.a)
        self.a.faults["states"] = DATABASE_LIMIT + 1
        self.failureResultOf(self.settle(), FetchError)
        self.assertFalse(self.a.bodies[-1].consumed)
        self.a.faults.clear()
        self.seen()
        self.publish(self.a, data=bytes(20_000), name="core.db.sig")
        self.a.faults["unstated"] = True
        self.failureResultOf(self.settle(SIGNATURE), RequestError)


def built(*moments: int) -> bytes:
    """A database of packages that were built then."""
    entries = [f"%FILENAME%\n{number}\n\n%BUILDDATE%\n{moment}\n\n" for number, moment in enumerate(moments)]
    return gzip.compress(Random(sum(moments)).randbytes(3000) + "".join(entries).encode() + bytes(2000), mtime=0)


class ForcedTests(Setup):
    def test_without_conditions(self) -> None:
        """A request that is forced reaches the mirror without a date, and what it has is handed on, though its date and length are the same."""
        self.seen()
        self.publish(self.a, data=SECOND)
        self.assertEqual((self.get(), self.asked()), ((FIRST, "copy"), [("a", 304)]))
        self.assertEqual((self.get(forced=True), self.a.asked[-1]), ((SECOND, "stream"), {}))
        self.assertEqual(self.get(), (SECOND, "copy"))

    def test_entity_tag(self) -> None:
        """A strong entity tag of the same mirror may still say that nothing has changed; that of another one may not."""
        self.seen(etag='"e"')
        self.publish(self.b, etag='"e"')
        self.assertEqual((self.get(forced=True), self.asked()), ((FIRST, "copy"), [("a", 304)]))
        self.assertEqual(self.a.asked[-1], {"If-None-Match": '"e"'})
        self.down(self.a)
        self.assertEqual((self.get(forced=True), self.asked()), ((FIRST, "stream"), [("a", 0), ("b", 200)]))
        self.assertEqual(self.b.asked[-1], {})

    def test_older(self) -> None:
        """An index that is older by dates that can be is no more handed on than at any other time."""
        self.seen()
        self.publish(self.a, self.b, data=SECOND, modified=OLD)
        self.assertEqual((self.get(forced=True), self.asked()), ((FIRST, "copy"), [("a", 200), ("b", 200)]))

    def test_no_mirror(self) -> None:
        """Where no mirror answers the copy is served all the same."""
        self.seen()
        self.down(self.a, self.b)
        self.assertEqual(self.get(forced=True), (FIRST, "copy"))

    def test_shared(self) -> None:
        """Those that force a file at the same moment share one request, and so do those that ask with a condition meanwhile."""
        self.seen()
        self.down(self.a, fault="silent")
        self.publish(self.a, self.b, data=SECOND)
        settled = [self.settle(forced=forced) for forced in (True, True, False)]
        self.clock.advance(SECOND_SOURCE_DELAY)
        self.assertEqual([self.content(self.successResultOf(one)) for one in settled], [(SECOND, "stream")] * 3)
        self.assertEqual(self.asked(), [("a", 0), ("b", 200)])

    def beside_another(self) -> Deferred[Location]:
        """A client forces the file while another one is asking for it with a condition."""
        self.down(self.a, fault="silent")
        other, forced = self.settle(), self.settle(forced=True)
        self.clock.advance(SECOND_SOURCE_DELAY)
        found = self.successResultOf(other)
        if isinstance(found, LocalFile):
            found.held.file.close()
        return forced

    def test_beside_a_download(self) -> None:
        """A client that forces the file shares what is fetched for one that asked with a condition."""
        self.seen()
        self.publish(self.b, data=SECOND, modified=NEW)
        self.assertEqual(self.content(self.successResultOf(self.beside_another())), (SECOND, "stream"))
        self.assertEqual(self.asked(), [("a", 0), ("b", 200)])

    def test_beside_a_confirmation(self) -> None:
        """It does not share the copy that a mirror has confirmed by its date."""
        self.seen()
        self.publish(self.b, data=SECOND)
        forced = self.beside_another()
        self.clock.advance(SECOND_SOURCE_DELAY)
        self.assertEqual(self.content(self.successResultOf(forced)), (SECOND, "stream"))
        self.assertEqual(self.asked(), [("a", 0), ("a", 0), ("b", 304), ("b", 200)])

    def test_beside_a_failure(self) -> None:
        """It shares the copy where no mirror answered, and does not wait for them once more."""
        self.seen()
        self.down(self.a, self.b, fault="silent")
        waiting = [self.settle(), self.settle(forced=True)]
        self.clock.pump([1.0] * 6)
        self.assertEqual([self.content(self.successResultOf(one)) for one in waiting], [(FIRST, "copy")] * 2)


class ImpossibleDatesTests(Setup):
    def test_of_1970(self) -> None:
        """A mirror whose date never changes is asked without it, nor by the entity tag that is made of it; clients are told the date as it is."""
        self.seen(modified=1, etag='"1-1388"')
        self.publish(self.a, data=SECOND, modified=1, etag='"1-1388"')
        answer = self.successResultOf(self.settle())
        assert isinstance(answer, RunningDownload)
        self.assertEqual((self.content(answer), answer.file.modified, self.a.asked[-1]), ((SECOND, "stream"), 1, {}))
        self.down(self.a, self.b)
        copy = self.successResultOf(self.settle())
        assert isinstance(copy, LocalFile)
        copy.held.file.close()
        self.assertEqual(copy.held.modified, 1)

    def test_before_the_newest_package(self) -> None:
        """Neither is one that states a date before the newest package in its database was built; clocks may differ by a day."""
        day = 86_400
        for stated, conditions in ((NEW - day - 1, {}), (NEW - day, {"If-Modified-Since": format_date(NEW - day)})):
            self.source.stop()
            for path in self.folder.glob("*"):
                path.unlink()
            self.restarted()
            self.seen(built(OLD, NEW, MIDDLE), modified=stated)
            self.get()
            self.assertEqual(self.a.asked[-1], conditions)

    def test_package_of_the_future(self) -> None:
        """A build date to come makes no date impossible."""
        self.seen(built(OLD, NOW * 2), modified=MIDDLE)
        self.get()
        self.assertEqual(self.a.asked[-1], {"If-Modified-Since": format_date(MIDDLE)})

    def test_other_mirror(self) -> None:
        """A mirror that does not say how old its index is comes last, and what is in it decides."""
        self.seen(built(MIDDLE), modified=NEW)
        for stated in (1, None):
            for moment, lenient in ((OLD, False), (OLD, True), (NEW, False), (NEW + 1, True)):
                self.b.lenient = lenient
                older, data = moment == OLD, built(moment)
                self.publish(self.b, data=data, modified=stated)
                self.assertEqual(self.get(), (built(MIDDLE), "copy"))
                self.down(self.a)
                self.assertEqual(self.get(), (built(MIDDLE) if older else data, "copy"))
                self.down()
                self.publish(self.a, data=built(MIDDLE), modified=NEW)
                self.source.stop()
                for path in self.folder.iterdir():
                    path.unlink()
                self.restarted()
                self.get()

    def test_other_mirror_of_which_nothing_is_known(self) -> None:
        """Where build dates tell nothing either, a client has to force it."""
        for known in (FIRST, built(MIDDLE)):
            self.warnings.clear()
            self.seen(known, modified=NEW)
            self.publish(self.b, data=SECOND, modified=1)
            self.down(self.a)
            self.assertEqual((self.get(), len(self.warnings)), ((known, "copy"), 1))
            self.assertEqual(self.get(forced=True), (SECOND, "copy"))
            self.assertEqual(self.get(), (SECOND, "stream"))
            self.down()

    def test_slow_mirror(self) -> None:
        """Nobody waits for it longer than for any other mirror; what it gave in the end is there for the next one."""
        self.seen()
        self.publish(self.b, data=SECOND, modified=1)
        self.down(self.a)
        self.b.faults.update(dies_at=[None, *[3000] * 50], dying="stalls")
        waiting = self.settle(forced=True)
        self.clock.advance(MIRRORS_BUDGET - 0.1)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.assertEqual(self.content(self.successResultOf(waiting)), (FIRST, "copy"))
        self.b.bodies[-1].go_on(SECOND[3000:])
        self.down(self.a, self.b)
        self.assertEqual(self.get(), (SECOND, "copy"))

    def test_older_than_what_is_known(self) -> None:
        """A mirror whose date is before the newest package of the copy has an older index, where the mirror of the copy states no date."""
        self.seen(built(MIDDLE), modified=None)
        self.publish(self.b, data=SECOND, modified=MIDDLE - 90_000)
        self.down(self.a)
        self.assertEqual(self.get(), (built(MIDDLE), "copy"))
        self.publish(self.b, data=SECOND, modified=MIDDLE)
        self.assertEqual(self.get(), (SECOND, "stream"))


class OtherRulesTests(Setup):
    def test_signed_text(self) -> None:
        """The rules of another package system decide what an index is, how it begins and ends, and what its signature is called."""
        begin, end = b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----END PGP SIGNATURE-----"
        self.restarted(
            IndexRules(
                ".gpg",
                1000,
                lambda name: name == "InRelease",
                lambda data: data.startswith(begin) if len(data) >= len(begin) else None,
                lambda file, _: Examined(file.read().endswith(end)),
            )
        )
        index, signature = (FileRequest("debian", "trixie", name, FileKind.DATABASE) for name in ("InRelease", "InRelease.gpg"))
        for data, outcome in ((PAGE[:900], None), (begin + bytes(2000), None), (begin + end, "stream")):
            self.publish(self.a, data=data, name="InRelease")
            settled = self.settle(index)
            if outcome is None:
                self.failureResultOf(settled, FetchError)
            else:
                self.successResultOf(settled)
        self.assertEqual(self.get(index), (begin + end, "copy"))
        self.publish(self.a, data=b"signature", name="InRelease.gpg")
        self.assertEqual(self.get(signature)[0], b"signature")


class WholeTests(Setup):
    def test_cut_off(self) -> None:
        """Half a database whose length nobody stated is not kept: its mirror has failed, and the next client gets all of it."""
        for half in (FIRST[:3000], bz2.compress(FIRST)[:-1]):
            self.publish(self.a, data=half)
            self.a.faults["unstated"] = True
            self.a.verdicts.clear()
            self.assertEqual(self.get(), (half, "stream"))
            self.assertEqual((self.a.verdicts[-1], list(self.folder.iterdir()), len(self.warnings)), ("failed", [], 1))
            self.warnings.clear()
        self.publish(self.a)
        self.assertEqual(self.get(), (FIRST, "stream"))
        self.assertEqual(self.get(), (FIRST, "copy"))

    def test_cut_off_on_the_mirror(self) -> None:
        """Half a database is not kept either when the mirror has no more, and does not take the place of the last good copy."""
        self.seen()
        self.publish(self.a, data=SECOND[:3000], modified=NEW)
        self.get()
        self.down(self.a, self.b)
        self.assertEqual(self.get(), (FIRST, "copy"))

    def test_unstated(self) -> None:
        """A whole archive is kept though nobody stated its length; anything else could be half of it, and is only handed on."""
        self.a.faults["unstated"] = True
        self.seen()
        self.assertEqual(self.get(), (FIRST, "copy"))
        self.publish(self.a, data=b"signature", name="core.db.sig")
        for _ in range(2):
            self.assertEqual(self.get(SIGNATURE), (b"signature", "stream"))
        self.a.faults.clear()
        self.assertEqual([self.get(SIGNATURE)[1] for _ in range(2)], ["stream", "copy"])

    def test_unknown_archive(self) -> None:
        """An archive that can't be checked is kept if its length was stated."""
        for unstated, how in ((True, "stream"), (False, "copy")):
            self.publish(self.a, data=b"LZIP" + bytes(100))
            self.a.faults["unstated"] = unstated
            self.get()
            self.assertEqual(self.get()[1], how)

    def test_signature_meanwhile(self) -> None:
        """A signature that is asked for while its database is still being checked waits for that, and comes from the same mirror."""
        self.publish(self.a)
        self.publish(self.a, data=b"of a", name="core.db.sig")
        busy = self.busy = Deferred[None]()
        self.assertEqual(self.get(), (FIRST, "stream"))
        signature = self.settle(SIGNATURE)
        self.assertNoResult(signature)
        self.busy = None
        busy.callback(None)
        self.assertEqual(self.content(self.successResultOf(signature)), (b"of a", "stream"))
        self.assertEqual(self.get(), (FIRST, "copy"))

    def test_asked_meanwhile(self) -> None:
        """A client that asks while half a database is still being checked waits for that, and is not given the half."""
        self.publish(self.a, data=FIRST[:3000])
        busy = self.busy = Deferred[None]()
        self.assertEqual(self.get(), (FIRST[:3000], "stream"))
        answers = [self.settle() for _ in range(2)]
        for answer in answers:
            self.assertNoResult(answer)
        self.publish(self.a)
        self.busy = None
        busy.callback(None)
        self.assertEqual({self.content(self.successResultOf(answer))[0] for answer in answers}, {FIRST})

    def test_stopped_meanwhile(self) -> None:
        """A daemon that stops while a database is checked does not keep it."""
        self.publish(self.a)
        self.busy = Deferred()
        self.assertEqual(self.get(), (FIRST, "stream"))
        self.source.stop()
        self.assertEqual((list(self.folder.iterdir()), self.clock.getDelayedCalls()), ([], []))

    def test_removed_meanwhile(self) -> None:
        """A file that somebody removes while it is checked is logged, and nobody is the worse for it."""
        self.publish(self.a)
        busy = self.busy = Deferred[None]()
        self.get()
        for path in self.folder.iterdir():
            path.unlink()
        busy.callback(None)
        self.busy = None
        self.assertEqual(len(self.warnings), 1)
        self.assertEqual(self.get(), (FIRST, "stream"))


class DownTests(Setup):
    def test_refused(self) -> None:
        """When no mirror answers the last good copy is served; the log has one warning, and another one when it happens again."""
        self.seen()
        for number in (1, 2):
            self.down(self.a, self.b)
            for _ in range(3):
                self.assertEqual(self.get(), (FIRST, "copy"))
            self.assertEqual(len(self.warnings), number)
            self.down()
            self.get()

    def test_silent(self) -> None:
        """Mirrors that do not answer cost no more than the time there is, and the copy is served then."""
        self.seen()
        self.down(self.a, self.b, fault="silent")
        answer = self.settle()
        self.clock.pump([0.5] * int(MIRRORS_BUDGET / 0.5 - 1))
        self.assertNoResult(answer)
        self.clock.advance(0.5)
        self.assertEqual(self.content(self.successResultOf(answer)), (FIRST, "copy"))

    def test_black_holes(self) -> None:
        """Behind 30 mirrors that do not answer a good one gives the database in time, and all that it outran are told of."""
        for number in range(28):
            self.mirror(f"hole {number}")
        self.down(*self.upstreams.mirrors, fault="silent")
        good = self.mirror("good")
        self.publish(good)
        answer = self.settle()
        self.clock.pump([0.25] * int(MIRRORS_BUDGET / 0.25 - 1))
        self.assertEqual(self.content(self.successResultOf(answer)), (FIRST, "stream"))
        self.assertEqual({mirror.label: mirror.outruns for mirror in self.upstreams.mirrors}["hole 27"], 1)
        self.assertEqual(sum(mirror.outruns for mirror in self.upstreams.mirrors), 30)

    def test_resting(self) -> None:
        """A mirror that asked to be left alone is not asked for a database that another one has."""
        self.seen()
        self.a.rests = True
        self.down(self.b, fault="silent")
        answer = self.settle()
        self.clock.advance(RESERVE_DELAY - 0.1)
        asked = len(self.a.asked)
        self.clock.advance(0.1)
        self.assertEqual(len(self.a.asked), asked + 1)
        self.assertEqual(self.content(self.successResultOf(answer)), (FIRST, "copy"))

    def test_mute_body(self) -> None:
        """A mirror that sends a head and nothing else is as good as silent, and is not waited for any longer by those who ask next."""
        self.seen()
        self.publish(self.a, self.b, data=SECOND, modified=NEW)
        for mirror in (self.a, self.b):
            mirror.faults.update(dies_at=[0, 0, 0, 0], dying="stalls")
        answer = self.settle()
        self.clock.pump([0.25] * int(MIRRORS_BUDGET / 0.25))
        self.assertEqual(self.content(self.successResultOf(answer)), (FIRST, "copy"))
        for mirror in (self.a, self.b):
            mirror.faults.pop("dies_at")
        self.assertEqual(self.get(), (SECOND, "stream"))
        self.clock.advance(CLOSE_DELAY)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_copy(self) -> None:
        """Without a copy somebody else is to be asked, in time."""
        self.down(self.a, self.b)
        self.failureResultOf(self.settle(), FetchError)
        self.down(self.a, self.b, fault="silent")
        answer = self.settle()
        self.clock.pump([0.5] * int(MIRRORS_BUDGET / 0.5))
        self.failureResultOf(answer, FetchError)
        self.assertEqual(self.warnings, [])

    def test_blame(self) -> None:
        """A mirror that did not answer comes later next time, also when another one answered meanwhile; one that was just slower does not."""
        self.publish(self.a, self.b)
        self.down(self.a, fault="silent")
        answer = self.settle()
        self.clock.advance(SECOND_SOURCE_DELAY)
        self.assertEqual(self.content(self.successResultOf(answer)), (FIRST, "stream"))
        self.assertEqual((self.a.verdicts, self.b.verdicts), (["failed"], ["succeeded"]))
        self.down(self.b)
        self.a.files.clear()
        self.get()
        self.assertEqual((self.a.verdicts, self.b.verdicts), (["failed"], ["succeeded", "failed"]))

    def test_restart(self) -> None:
        """A daemon that starts again has the copies, and knows from which mirror they are."""
        self.seen()
        self.restarted()
        self.assertEqual((self.get(), self.asked()), ((FIRST, "copy"), [("a", 304)]))
        self.restarted()
        self.down(self.a, self.b)
        self.assertEqual(self.get(), (FIRST, "copy"))

    def test_damaged(self) -> None:
        """A copy that is not what it was, after a crash say, is fetched again as if it had never been."""
        self.seen()
        for path in self.folder.iterdir():
            if path.suffix != ".json":
                path.write_bytes(bytes(path.stat().st_size))
        self.restarted()
        self.assertEqual((self.get(), self.asked()), ((FIRST, "stream"), [("a", 200)]))


class StoreTests(Setup):
    def test_full(self) -> None:
        """Where there is no room for news somebody else is to be asked; what has not changed is served."""
        self.seen()
        self.patch(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 10, 0, 0, 0, 0, 0, 0, 255)))
        self.assertEqual(self.get(), (FIRST, "copy"))
        self.publish(self.a, data=SECOND, modified=NEW)
        self.failureResultOf(self.settle(), FetchError)
        self.assertTrue(self.a.bodies[-1].dropped)

    def test_no_folder(self) -> None:
        """A folder that somebody removed is made again; one that can't be made is logged, and somebody else is to be asked."""
        self.seen()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()
        self.assertEqual(self.get(), (FIRST, "stream"))
        self.assertEqual(self.get(), (FIRST, "copy"))
        self.source.stop()
        self.folder = self.folder / "file"
        self.folder.write_bytes(b"")
        self.restarted()
        self.assertEqual(len(self.warnings), 1)
        self.failureResultOf(self.settle(), FetchError)

    def test_written_full(self) -> None:
        """A disk that fills up while databases arrive leaves nothing behind, and is one warning that says what to do."""
        self.seen()
        self.publish(self.a, data=SECOND, modified=NEW)

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        self.patch(os, "pwrite", full)
        for _ in range(3):
            self.assertEqual(self.get(), (FIRST, "copy"))
        self.assertEqual(len(list(self.folder.iterdir())), 2)
        self.assertEqual([f"databases can't be kept in {self.folder}" in warning for warning in self.warnings].count(True), 1)

    def test_unreadable(self) -> None:
        """A disk that can't be read is one warning and no defect, and somebody else is to be asked."""
        self.seen()
        self.restarted()

        def broken(_: object) -> str:
            raise OSError(5, "Input/output error")

        self.patch(copies, "_digest", broken)
        for _ in range(3):
            self.failureResultOf(self.settle(), FetchError)
        self.assertEqual((len(self.warnings), self.flushLoggedErrors()), (1, []))


class SignatureTests(Setup):
    def signed(self) -> None:
        """The database and its signature are fetched from the first mirror; those of the second are others."""
        self.publish(self.a)
        self.publish(self.a, data=b"of a", name="core.db.sig")
        self.publish(self.b, data=SECOND, modified=NEW)
        self.publish(self.b, data=b"of b", name="core.db.sig")
        self.assertEqual((self.get(), self.get(SIGNATURE)), ((FIRST, "stream"), (b"of a", "stream")))
        self.asked()

    def test_same_mirror(self) -> None:
        """A signature comes from the mirror that gave or confirmed the database last, also after a restart."""
        self.signed()
        self.restarted()
        self.assertEqual((self.get(SIGNATURE), self.asked()), ((b"of a", "copy"), [("a", 304)]))
        self.down(self.a)
        self.assertEqual(self.get(), (SECOND, "stream"))
        self.down()
        self.asked()
        self.assertEqual((self.get(SIGNATURE), self.asked()), ((b"of b", "stream"), [("b", 200)]))

    def test_confirmed_elsewhere(self) -> None:
        """When another mirror confirmed the database the signature is asked for there."""
        self.signed()
        self.publish(self.b)
        self.down(self.a)
        self.assertEqual(self.get(), (FIRST, "copy"))
        self.asked()
        self.assertEqual((self.get(SIGNATURE), self.asked()), ((b"of a", "copy"), [("b", 304)]))
        self.publish(self.b, data=b"anew of b", modified=NEW, name="core.db.sig")
        self.assertEqual(self.get(SIGNATURE), (b"anew of b", "stream"))

    def test_mirror_has_gone(self) -> None:
        """When that mirror can't be asked the signature of the very database that was served will do, and no other one."""
        self.signed()
        self.down(self.a)
        self.assertEqual((self.get(SIGNATURE), self.asked()), ((b"of a", "copy"), [("a", 0)]))
        self.down()
        self.publish(self.a, data=THIRD, modified=NOW)
        self.assertEqual(self.get(), (THIRD, "stream"))
        self.down(self.a)
        self.assertEqual(self.failureResultOf(self.settle(SIGNATURE), RequestError).value.status, 504)

    def test_last_good_copy(self) -> None:
        """The signature of a database that is served for want of mirrors is its own, even when the mirror is back with others."""
        self.signed()
        self.down(self.a, self.b)
        self.assertEqual(self.get(), (FIRST, "copy"))
        self.down()
        self.publish(self.a, data=b"of the next", modified=NOW, name="core.db.sig")
        self.asked()
        self.assertEqual((self.get(SIGNATURE), self.asked()), ((b"of a", "copy"), []))

    def test_unsigned(self) -> None:
        """When that mirror has no signature nobody else is asked, and that is known as long as the copy is served."""
        self.seen()
        self.publish(self.b, data=b"of b", name="core.db.sig")
        self.assertEqual(self.failureResultOf(self.settle(SIGNATURE), RequestError).value.status, 404)
        self.assertEqual(self.asked(), [("a", 404)])
        self.down(self.a, self.b)
        self.get()
        self.asked()
        self.assertEqual(self.failureResultOf(self.settle(SIGNATURE), RequestError).value.status, 404)
        self.assertEqual(self.asked(), [])
        self.down()
        self.get()
        self.publish(self.a, data=b"of a", name="core.db.sig")
        self.clock.advance(ABSENCE_LIFETIME)
        self.assertEqual(self.get(SIGNATURE), (b"of a", "stream"))
        self.down(self.a, self.b)
        self.get()
        self.assertEqual(self.get(SIGNATURE), (b"of a", "copy"))

    def test_forbidden(self) -> None:
        """A store that says 403 for the signature that it does not have is not to blame, and comes first for all that follows."""
        self.seen()
        self.a.absence = 403
        self.assertEqual(self.failureResultOf(self.settle(SIGNATURE), RequestError).value.status, 404)
        self.assertEqual((self.asked(), "failed" in self.a.verdicts), ([("a", 403)], False))

    def test_asked_again(self) -> None:
        """A client that asks again for a file that no mirror had a moment ago makes no traffic, but for a signature when there is a new database."""
        self.failureResultOf(self.settle(), AbsentError)
        self.asked()
        self.failureResultOf(self.settle(), AbsentError)
        self.assertEqual(self.asked(), [])
        self.clock.advance(ABSENCE_LIFETIME)
        self.seen()
        self.failureResultOf(self.settle(SIGNATURE), RequestError)
        self.asked()
        self.assertEqual(self.failureResultOf(self.settle(SIGNATURE), RequestError).value.status, 404)
        self.assertEqual(self.asked(), [])
        self.publish(self.a, data=SECOND, modified=NOW)
        self.publish(self.a, data=b"of a", name="core.db.sig")
        self.assertEqual(self.get(), (SECOND, "stream"))
        self.assertEqual(self.get(SIGNATURE), (b"of a", "stream"))

    def test_without_database(self) -> None:
        """The signature of a database that did not come by here is not fetched here."""
        self.publish(self.a, data=b"of a", name="core.db.sig")
        self.failureResultOf(self.settle(SIGNATURE), FetchError)
        self.assertEqual(self.asked(), [])

    def test_one_host_twice(self) -> None:
        """Two Server lines of one host are two mirrors."""
        self.b._label = "a"
        self.publish(self.b)
        self.publish(self.a, data=b"of the first", name="core.db.sig")
        self.publish(self.b, data=b"of the second", name="core.db.sig")
        self.assertEqual((self.get()[0], self.get(SIGNATURE)[0]), (FIRST, b"of the second"))
