"""Tests for `pacserve.fronts.peer`."""

import gzip
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RequestError
from pacserve.fronts.peer import InfoFront, PackageFront
from pacserve.packages.inventory import Delta, Inventory
from pacserve.peers.inventory import PeerInfo, decode
from pacserve.peers.peer import Myself
from pacserve.web.answers import DocumentAnswer, FileAnswer
from tests.fakes.interfaces import Configuration, Packages, ask

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
T = TypeVar("T")
INSTANCE = "0123456789abcdef" * 2


class PackageFrontTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.packages = Packages({NAME: 100})
        self.front = PackageFront(self.packages)

    def test_both_forms(self) -> None:
        """FILE and FILE/data are the same file; the name is stated of the second, whose URL does not end with it."""
        for parts in ((NAME,), (NAME, "data")):
            answer = self.successResultOf(Deferred.fromCoroutine(self.front.answer(ask(*parts))))
            assert isinstance(answer, FileAnswer)
            self.addCleanup(answer.held.file.close)
            self.assertEqual((answer.held.name, answer.held.size, answer.named), (NAME, 100, len(parts) == 2))

    def test_absent(self) -> None:
        """A file that is in no cache is 404, without a reason."""
        for parts in (("other-1-1-any.pkg.tar.zst",), ("other-1-1-any.pkg.tar.zst", "data"), ("core.db",), ("..",), ("",)):
            error = self.failureResultOf(Deferred.fromCoroutine(self.front.answer(ask(*parts))), RequestError).value
            self.assertEqual((error.status, str(error)), (404, "not in a local cache"))

    def test_nothing_else(self) -> None:
        """Every other path below /package is 404 without a look into the caches."""
        for parts in ((), (NAME, ""), (NAME, "Data"), (NAME, "data", ""), (NAME, "data", "data"), ("x86_64", NAME), ("core", "x86_64", NAME)):
            error = self.failureResultOf(Deferred.fromCoroutine(self.front.answer(ask(*parts))), RequestError).value
            self.assertEqual((error.status, self.packages.opened), (404, []))


class InfoFrontCase(SynchronousTestCase):
    """A host that holds one file, in the seventh generation."""

    def setUp(self) -> None:
        self.packages = Packages({NAME: 100}, generation=7)
        self.configuration = Configuration(architectures=("x86_64", "x86_64_v3"))
        self.packed = 0
        self.thread: Deferred[None] | None = None
        self.front = InfoFront(self.packages, self.myself(INSTANCE), self.in_thread)

    def myself(self, instance: str, name: str = "") -> Myself:
        """This daemon."""
        return Myself(instance, lambda: self.configuration.value.architectures, name)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Does the work at once, or when the thread goes on."""
        self.packed += 1
        if self.thread is not None:
            await self.thread
        return work()

    def info(self, *, query: str = "", **headers: str) -> DocumentAnswer:
        """What the front answers."""
        asked = ask(headers=[(name.replace("_", "-"), value) for name, value in headers.items()], query=query)
        answer = self.successResultOf(Deferred.fromCoroutine(self.front.answer(asked)))
        assert isinstance(answer, DocumentAnswer)
        self.assertTrue(answer.quiet)
        return answer


class InfoFrontTests(InfoFrontCase):
    def test_plain(self) -> None:
        """Who does not ask for gzip gets plain JSON that another pacserve reads."""
        answer = self.info()
        self.assertEqual(decode(answer.body), PeerInfo(INSTANCE, 7, ("x86_64", "x86_64_v3"), {NAME: 100}))
        headers = dict(answer.headers)
        self.assertEqual((answer.status, headers["Content-Type"], headers["Vary"]), (200, "application/json", "Accept-Encoding"))
        self.assertNotIn("Content-Encoding", headers)

    def test_packed(self) -> None:
        """Who takes gzip gets it."""
        for accepted in ("gzip", "deflate, GZip;q=0.5, br", "x-gzip", "gzip;q=1.0"):
            answer = self.info(Accept_Encoding=accepted)
            self.assertEqual(dict(answer.headers)["Content-Encoding"], "gzip", accepted)
            self.assertEqual(gzip.decompress(answer.body), self.info().body)

    def test_not_packed(self) -> None:
        """Who does not take gzip does not get it."""
        for accepted in ("", "br", "identity", "gzip;q=0", "gzip ; Q = 0.000", "notgzip", "br;x=gzip"):
            self.assertNotIn("Content-Encoding", dict(self.info(Accept_Encoding=accepted).headers), accepted)

    def test_not_modified(self) -> None:
        """Who has it as it is gets 304 without a body, in either form."""
        etag = dict(self.info().headers)["ETag"]
        self.assertEqual(dict(self.info(Accept_Encoding="gzip").headers)["ETag"], etag)
        for condition in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
            answer = self.info(If_None_Match=condition)
            self.assertEqual((answer.status, answer.body, dict(answer.headers)["ETag"]), (304, b"", etag))
            self.assertNotIn("Content-Type", dict(answer.headers))
        self.assertEqual(self.info(If_None_Match='"x"').status, 200)

    def test_prepared_once(self) -> None:
        """The same inventory is packed once for all who ask."""
        self.assertIs(self.info(Accept_Encoding="gzip").body, self.info(Accept_Encoding="gzip").body)

    def test_changed_files(self) -> None:
        """A changed inventory is sent to who has the old one."""
        etag = dict(self.info().headers)["ETag"]
        self.packages.listed = Inventory(8, {})
        answer = self.info(If_None_Match=etag)
        self.assertEqual((answer.status, decode(answer.body).files, decode(answer.body).generation), (200, {}, 8))

    def test_changed_architectures(self) -> None:
        """So are changed architectures."""
        etag = dict(self.info().headers)["ETag"]
        self.configuration.value = Configuration(architectures=("aarch64",)).value
        answer = self.info(If_None_Match=etag)
        self.assertEqual((answer.status, decode(answer.body).architectures), (200, ("aarch64",)))

    def test_another_start(self) -> None:
        """A daemon that was started again is not taken for the one before, though it counts its generations from the same number."""
        etag = dict(self.info().headers)["ETag"]
        self.front = InfoFront(self.packages, self.myself("f" * 32), self.in_thread)
        self.assertEqual(self.info(If_None_Match=etag).status, 200)

    def test_packed_once(self) -> None:
        """A list is packed in a thread, one at a time, and once for all that ask meanwhile, also for one that leaves."""
        self.thread = Deferred()
        asked = [Deferred.fromCoroutine(self.front.answer(ask())) for _ in range(3)]
        asked[1].cancel()
        self.failureResultOf(asked[1], CancelledError)
        self.assertNoResult(asked[2])
        self.thread.callback(None)
        first, last = (self.successResultOf(one) for one in (asked[0], asked[2]))
        self.assertEqual((first, self.packed), (last, 1))

    def test_leaving(self) -> None:
        """A daemon that is about to end says so: it would be taken for one whose goodbye somebody else has sent."""
        front = InfoFront(self.packages, self.myself(INSTANCE), self.in_thread, lambda: True)
        error = self.failureResultOf(Deferred.fromCoroutine(front.answer(ask())), RequestError).value
        self.assertEqual(error.status, 503)

    def test_nothing_below(self) -> None:
        """There is nothing below /info."""
        for parts in (("",), ("x",), ("x", "y")):
            error = self.failureResultOf(Deferred.fromCoroutine(self.front.answer(ask(*parts))), RequestError).value
            self.assertEqual(error.status, 404)


class DeltaTests(InfoFrontCase):
    def setUp(self) -> None:
        super().setUp()
        self.packages.deltas = {5: Delta(5, 7, {NAME: 100}, (f"{NAME}.sig",)), 7: Delta(7, 7, {}, ())}

    def test_delta(self) -> None:
        """Who knows an earlier generation is told what changed, and by whom."""
        answer = self.info(query="since=5")
        self.assertEqual(decode(answer.body), PeerInfo(INSTANCE, 7, ("x86_64", "x86_64_v3"), {NAME: 100}, 5, (f"{NAME}.sig",)))
        self.assertEqual((answer.status, dict(answer.headers)["Content-Type"]), (200, "application/json"))

    def test_name(self) -> None:
        """The name of this host is told with all that it holds, and with what changed."""
        self.front = InfoFront(self.packages, self.myself(INSTANCE, "nas"), self.in_thread)
        for query in ("", "since=5", "since=7"):
            self.assertEqual(decode(self.info(query=query).body).name, "nas")

    def test_nothing_changed(self) -> None:
        """Who knows the last generation is told in less than 200 bytes that nothing changed."""
        answer = self.info(query="since=7", Accept_Encoding="gzip")
        self.assertEqual(decode(answer.body), PeerInfo(INSTANCE, 7, ("x86_64", "x86_64_v3"), {}, 7, ()))
        self.assertNotIn("Content-Encoding", dict(answer.headers))
        self.assertLess(len(answer.body), 200)

    def test_unknown(self) -> None:
        """Who knows a generation that is not known here, or says no good one, is told everything; with its tag."""
        whole = self.info()
        for query in ("since=4", "since=8", "since=", "since=5&since=5", "since=-5", "since=99999999999999999999", "Since=5", "x"):
            self.assertEqual(self.info(query=query), whole, query)
        etag = dict(whole.headers)["ETag"]
        self.assertEqual(self.info(query="since=4", If_None_Match=etag).status, 304)

    def test_tags(self) -> None:
        """The whole list and each delta have tags of their own: none of them is 304 to who has another."""
        queries = ("", "since=5", "since=7")
        etags = [dict(self.info(query=query).headers)["ETag"] for query in queries]
        self.assertEqual(len(set(etags)), 3)
        for query in queries:
            self.assertEqual([self.info(query=query, If_None_Match=etag).status for etag in etags].count(304), 1)

    def test_tags_of_odd_architectures(self) -> None:
        """No architectures make the tag of a whole list that of a delta."""
        delta = dict(self.info(query="since=5").headers)["ETag"]
        self.configuration.value = Configuration(architectures=("7", *self.configuration.value.architectures)).value
        self.packages.listed = Inventory(5, {})
        self.assertEqual(self.info(If_None_Match=delta).status, 200)

    def test_packed(self) -> None:
        """A delta of many names is packed for who takes it so."""
        files = {f"a{number}-1-1-any.pkg.tar.zst": number + 1 for number in range(100)}
        self.packages.deltas[5] = Delta(5, 7, files, ())
        answer = self.info(query="since=5", Accept_Encoding="gzip")
        self.assertEqual(decode(answer.body, dict(answer.headers)["Content-Encoding"]).files, files)
        self.assertEqual(decode(self.info(query="since=5").body).files, files)

    def test_prepared_once(self) -> None:
        """The same delta is made once for all who ask, until something changes."""
        first = self.info(query="since=5").body
        self.packages.deltas[5] = Delta(5, 8, {}, ())
        self.assertIs(self.info(query="since=5").body, first)
        self.packages.listed = Inventory(8, {})
        self.assertEqual(decode(self.info(query="since=5").body).generation, 8)

    def test_few_kept(self) -> None:
        """Who asks for every generation that there is does not fill the memory."""
        self.packages.deltas = {since: Delta(since, 7, {}, ()) for since in range(7)}
        bodies = [self.info(query=f"since={since}").body for since in range(7)]
        again = [self.info(query=f"since={since}").body for since in (6, 5, 4, 3, 0)]
        self.assertEqual([body is former for body, former in zip(again, (*bodies[:2:-1], bodies[0]), strict=True)], [True] * 4 + [False])
