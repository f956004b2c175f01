"""Tests for `pacserve.fronts.downloads`."""

import errno
from tempfile import TemporaryFile

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.claiming import ClaimKeeper
from pacserve.errors import RequestError
from pacserve.fronts.downloads import ClaimFront, FetchFront
from pacserve.packages.files import ExpectedFile, FileRequest
from pacserve.packages.inventory import Inventory
from pacserve.packages.marks import mark
from pacserve.transfer.downloads import RunningDownloads
from pacserve.web.answers import Answer, DocumentAnswer, FileAnswer, StreamAnswer
from pacserve.web.bodies.arriving import ArrivingFile
from tests.fakes.arriving import Arriving
from tests.fakes.interfaces import Databases, Packages, ask

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
BLOB = f"zlib1g_1.2.13-1_amd64@{'3a' * 32}.blob"
INSTANCE = "a" * 32


class Running(RunningDownloads):
    """Downloads by name."""

    def __init__(self) -> None:
        self.files: dict[str, ArrivingFile] = {}
        self.asked: list[FileRequest] = []

    async def running(self, request: FileRequest) -> ArrivingFile | None:
        self.asked.append(request)
        return self.files.get(request.name)


class Keeper(ClaimKeeper):
    """Notes what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.written: list[int | None] = []

    def keep(self, action: str, instance: str, key: str, source: str, written: int | None) -> bytes:
        self.asked.append((action, instance, key, source))
        self.written.append(written)
        return b"{}"


class FetchFrontTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.downloads, self.packages = Running(), Packages({NAME: 5})
        self.front = FetchFront(self.downloads, self.packages, Databases({("core", NAME): 5}), "core".__eq__)

    def answer(self, *parts: str) -> Deferred[Answer]:
        """Asks for a path."""
        return Deferred.fromCoroutine(self.front.answer(ask(*parts)))

    def test_running(self) -> None:
        """A running download is handed on."""
        self.downloads.files[NAME] = file = Arriving()
        answer = self.successResultOf(self.answer("core", "x86_64", NAME))
        assert isinstance(answer, StreamAnswer)
        self.assertEqual((answer.file, [answer.reader]), (file, file.readers))

    def test_nothing_can_be_opened(self) -> None:
        """Where no file can be opened any more, the peer is told to ask elsewhere."""
        self.downloads.files[NAME] = Arriving(error=OSError(errno.EMFILE, "Too many open files"))
        error = self.failureResultOf(self.answer("core", "x86_64", NAME), RequestError).value
        assert isinstance(error, RequestError)
        self.assertEqual(error.status, 503)

    def test_ended(self) -> None:
        """A file that was downloaded is in a local cache, in the size that the database states."""
        answer = self.successResultOf(self.answer("core", "x86_64", NAME))
        assert isinstance(answer, FileAnswer)
        answer.held.file.close()
        front = FetchFront(self.downloads, self.packages, Databases({("core", NAME): 6}), "core".__eq__)
        self.failureResultOf(Deferred.fromCoroutine(front.answer(ask("core", "x86_64", NAME))), RequestError)

    def test_nothing_else(self) -> None:
        """Whatever else is asked for is 404, and no download is looked for under a name that is none."""
        for parts in ((), ("core",), ("core", "x86_64"), ("other", "x86_64", NAME), ("core", "x86_64", "../x"), ("core", "x86_64", NAME, "data"),
                      ("core", "..", NAME), ("core", "", NAME), ("core", "x" * 33, NAME), ("core", "x86_64", ""), ("core", "x86_64", ".hidden"),
                      ("core", "x86_64", "x" * 256), ("core", "x86_64", "a\udc80"), ("", "x86_64", NAME)):  # fmt: skip
            self.assertEqual(self.failureResultOf(self.answer(*parts), RequestError).value.status, 404)
        self.assertEqual(self.downloads.asked, [])
        self.assertEqual(self.failureResultOf(self.answer("core", "x86_64", "core.db"), RequestError).value.status, 404)

    def test_etag(self) -> None:
        """A file that was downloaded has the entity tag that the download had: the SHA-256 that the database states."""

        class Known(Databases):
            """States a digest."""

            def expected(self, repo: str, name: str) -> ExpectedFile:
                return ExpectedFile(5, bytes(32))

        front = FetchFront(self.downloads, self.packages, Known({("core", NAME): 5}), "core".__eq__)
        for one, etag in ((front, f'"{bytes(32).hex()}"'), (self.front, '"tag"')):
            answer = self.successResultOf(Deferred.fromCoroutine(one.answer(ask("core", "x86_64", NAME))))
            assert isinstance(answer, FileAnswer)
            answer.held.file.close()
            self.assertEqual(answer.held.etag, etag)

    def test_signature(self) -> None:
        """A signature that came from a mirror has the SHA-256 of what it signs for its tag; any other has none that a peer would take."""
        name = f"{NAME}.sig"
        self.packages.listed = Inventory(1, {name: 5})
        with TemporaryFile() as file:
            for etag in ('"tag"', f'"{bytes(32).hex()}"'):
                self.packages.path = f"/proc/self/fd/{file.fileno()}"
                answer = self.successResultOf(self.answer("core", "x86_64", name))
                assert isinstance(answer, FileAnswer)
                answer.held.file.close()
                self.assertEqual(answer.held.etag, etag)
                mark(file.fileno(), bytes(32))

    def test_content(self) -> None:
        """A file that is shared by content is handed on whatever its repository, with the digest in its name for its tag."""
        self.packages.listed = Inventory(1, {BLOB: 5})
        for repo in ("core", "debian"):
            answer = self.successResultOf(self.answer(repo, "any", BLOB))
            assert isinstance(answer, FileAnswer)
            answer.held.file.close()
            self.assertEqual((answer.held.size, answer.held.etag), (5, f'"{"3a" * 32}"'))
        self.downloads.files[BLOB] = Arriving()
        self.assertIsInstance(self.successResultOf(self.answer("debian", "any", BLOB)), StreamAnswer)


class ClaimFrontTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.keeper = Keeper()
        self.front = ClaimFront(self.keeper)

    def answer(self, *parts: str, query: str = "") -> Deferred[Answer]:
        """Asks for a path."""
        return Deferred.fromCoroutine(self.front.answer(ask(*parts, client="10.0.0.3", method="POST", query=query)))

    def test_claims(self) -> None:
        """Claims are kept under their keys."""
        for parts in (("ask", INSTANCE, NAME, "00" * 32), ("renew", INSTANCE, NAME, "ff" * 32), ("ask", INSTANCE, BLOB, "3a" * 32)):
            answer = self.successResultOf(self.answer(*parts))
            assert isinstance(answer, DocumentAnswer)
            self.assertIn(("Cache-Control", "no-store"), answer.headers)
            self.assertEqual(self.keeper.asked[-1], (parts[0], INSTANCE, "/".join(parts[2:]), "10.0.0.3"))

    @given(st.text() | st.sampled_from(["written=5", "written=05&x", "written=1099511627776", "written=1099511627777", "written=-1", "written=",
                                        "written=5&written=6", "written=5x", "written=\u0665", "written=9999999999999999999"]))  # fmt: skip
    def test_written(self, query: str) -> None:
        """How much a host has is taken note of where it is a number of bytes that a file can have, and any other claim counts without it."""
        self.successResultOf(self.answer("report", INSTANCE, NAME, "00" * 32, query=query))
        expected = {"written=5": 5, "written=05&x": 5, "written=1099511627776": 1 << 40}.get(query)
        if expected is not None or query.startswith("written="):
            self.assertEqual(self.keeper.written[-1], expected)
        self.assertTrue(self.keeper.written[-1] is None or 0 <= self.keeper.written[-1] <= 1 << 40)

    def test_wrong(self) -> None:
        """A path that is no claim is 404, and not kept."""
        for parts in ((), ("ask",), ("ask", INSTANCE), ("ask", INSTANCE, ""), ("steal", INSTANCE, NAME), ("ask", "A" * 32, NAME),
                      ("ask", INSTANCE, "x" * 513), ("ask", INSTANCE, "a b"), ("ask", INSTANCE, "\n"), ("ask", INSTANCE, NAME),
                      ("ask", INSTANCE, NAME, "00" * 31), ("ask", INSTANCE, NAME, "AA" * 32), ("ask", INSTANCE, "x" * 256, "00" * 32),
                      ("ask", INSTANCE, "..", "00" * 32), ("ask", INSTANCE, "core", "x86_64", NAME), ("ask", INSTANCE, "core", "", NAME),
                      ("ask", INSTANCE, "core", "x86_64", NAME, "x"), ("ask", INSTANCE + "\n", NAME, "00" * 32)):  # fmt: skip
            self.assertEqual(self.failureResultOf(self.answer(*parts), RequestError).value.status, 404, parts)
        self.assertEqual(self.keeper.asked, [])

    @given(st.lists(st.sampled_from(["ask", "renew", INSTANCE, NAME, "core", "x86_64", "00" * 32, "..", ""]) | st.text(max_size=300), max_size=7))
    def test_anything(self, parts: list[str]) -> None:
        """Whatever is asked is 404, or a short key without a surprise under an id that is one."""
        self.keeper.asked.clear()
        outcome: list[object] = []
        self.answer(*parts).addBoth(outcome.append)
        if not self.keeper.asked:
            self.assertEqual(getattr(getattr(outcome[0], "value", None), "status", None), 404)
            return
        ((what, instance, key, _),) = self.keeper.asked
        self.assertIn(what, ("ask", "renew", "finish", "release"))
        self.assertRegex(instance, r"\A[0-9a-f]{32}\Z")
        self.assertRegex(key, r"\A[A-Za-z0-9@._+:~-]+/[0-9a-f]{64}\Z")
        self.assertLessEqual(len(key), 320)
