"""Tests for `pacserve.pacman.front`."""

import gc
import tracemalloc
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RequestError
from pacserve.http.request import via_value
from pacserve.network.addresses import parse_address
from pacserve.packages.files import FileKind, FileRequest
from pacserve.packages.names import file_name
from pacserve.pacman.configuration import without_pacman
from pacserve.pacman.front import PacmanFront
from pacserve.web.answers import Answer
from tests.fakes.interfaces import Configuration, Delivery, ask

NAME = "c++pkg-1:2.0+r3.gabc~rc1-1-any.pkg.tar.zst"


class PacmanFrontTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.configuration = Configuration("core", "my.repo", architectures=("x86_64", "x86_64_v3"))
        self.delivery = Delivery()
        self.front = PacmanFront(self.configuration, self.delivery)

    def answer(self, *parts: str, headers: Iterable[tuple[str, str]] = (), client: str = "127.0.0.1", method: str = "GET") -> Deferred[Answer]:
        """Asks for a path below /request."""
        return Deferred.fromCoroutine(self.front.answer(ask(*parts, headers=headers, client=client, method=method)))

    def refused(self, *parts: str) -> str:
        """The message of a 404, which was given without asking the sources."""
        error = self.failureResultOf(self.answer(*parts), RequestError).value
        assert isinstance(error, RequestError)
        self.assertEqual((error.status, self.delivery.asked), (404, []))
        self.assertEqual(len(str(error).splitlines()), 1)
        return str(error)

    def test_kinds(self) -> None:
        """Packages, their signatures and everything else are told apart by name."""
        for name, kind in (
            (NAME, FileKind.PACKAGE),
            (NAME + ".sig", FileKind.SIGNATURE),
            ("core.db", FileKind.DATABASE),
            ("core.db.sig", FileKind.DATABASE),
            ("core.files", FileKind.DATABASE),
            ("notes.txt", FileKind.DATABASE),
            (NAME + ".part", FileKind.DATABASE),
        ):
            self.successResultOf(self.answer("core", "x86_64", name))
            self.assertEqual(self.delivery.asked[-1], (FileRequest("core", "x86_64", name, kind), parse_address("127.0.0.1"), False, False))

    def test_without_pacman(self) -> None:
        """A host without pacman says what is missing."""
        self.configuration.value = without_pacman("there is no /etc/pacman.conf")
        self.assertEqual(self.refused("core", "x86_64", NAME), "no pacman here: there is no /etc/pacman.conf")

    def test_every_architecture(self) -> None:
        """Each of several architectures may be asked for, by each client and with HEAD."""
        self.successResultOf(self.answer("my.repo", "x86_64_v3", NAME, client="10.0.0.9", method="HEAD"))
        self.assertEqual(
            self.delivery.asked[0], (FileRequest("my.repo", "x86_64_v3", NAME, FileKind.PACKAGE), parse_address("10.0.0.9"), False, True)
        )

    def test_repositories(self) -> None:
        """A repository that does not stand in pacman.conf is not asked for; that it is read again is heeded."""
        for repo in ("extra", "", "..", "Core", "core ", "my.repo/"):
            self.refused(repo, "x86_64", NAME)
        self.configuration.value = Configuration("extra").value
        self.successResultOf(self.answer("extra", "x86_64", NAME))

    def test_architectures(self) -> None:
        """Neither is an architecture of other machines, and the answer says which are right."""
        for arch in ("aarch64", "any", "", "..", "$arch"):
            self.assertIn("x86_64 x86_64_v3", self.refused("core", arch, NAME))

    def test_number_of_parts(self) -> None:
        """The path has exactly three parts."""
        for parts in (
            (),
            ("core",),
            ("core", "x86_64"),
            ("core", "x86_64", NAME, ""),
            ("core", "x86_64", NAME, "data"),
            ("core", "os", "x86_64", NAME),
        ):
            self.refused(*parts)

    def test_names(self) -> None:
        """A name that is a path, hidden, too long or not to be printed is not asked for; any other one is."""
        names = ("", ".", "..", ".hidden", "a/b", "a\\b", "a\n", "a\0", "a%2fb", "\udcff", "\u00e9" * 128, "a" * 256, "a" * 100_000)
        for name in names:
            self.refused("core", "x86_64", name)
        for name in ("a" * 255, "a b", "a?b", "a#b", "\u00e9", "a-1^2,3!4=5%6(7)-1-any.pkg.tar.zst"):
            self.successResultOf(self.answer("core", "x86_64", name))

    def test_conditions(self) -> None:
        """A GET of the whole file without a condition, as pacman -Syy sends it, forces the file."""
        for headers, method, forced in (
            ((), "GET", True),
            ((), "HEAD", False),
            ([("Range", "bytes=1-")], "GET", False),
            ([("If-None-Match", '"e"')], "GET", False),
            ([("If-Modified-Since", "Thu, 01 Jan 1970 00:00:01 GMT")], "GET", False),
        ):
            self.successResultOf(self.answer("core", "x86_64", "core.db", headers=headers, method=method))
            self.assertEqual(self.delivery.forced[-1], forced, headers)

    def test_nothing_is_kept(self) -> None:
        """Names that are too long leave nothing behind in memory."""
        tracemalloc.start()
        try:
            for number in range(200):
                self.refused("core", "x86_64", f"{number:0100000}")
            gc.collect()
            self.assertLess(tracemalloc.get_traced_memory()[0], 200 * 100_000 / 4)
        finally:
            tracemalloc.stop()

    @given(st.lists(st.text(max_size=20) | st.sampled_from(("core", "x86_64", NAME)), max_size=5))
    def test_anything(self, parts: list[str]) -> None:
        """Whatever is asked for is 404, or a request of which every field has passed its grammar."""
        self.setUp()
        failed: list[object] = []
        self.answer(*parts).addErrback(failed.append)
        if not failed:
            ((request, *_),) = self.delivery.asked
            self.assertEqual([request.repo, request.arch, request.name], parts)
            self.assertTrue(file_name(request.name))

    def test_rest(self) -> None:
        """A client that resumes a file is known to want its rest; other ranges are nothing special."""
        for field, offset in (("bytes=17-", 17), ("bytes=17-20", 0), ("bytes=-5", 0), ("bytes=1-,5-", 0), (f"bytes={'9' * 30}-", 0)):
            self.answer("core", "x86_64", NAME, headers=[("Range", field)])
            self.assertEqual(self.delivery.offsets[-1], offset)

    def test_via(self) -> None:
        """A request that has passed a pacserve is answered from the local caches only; one that has passed other proxies is not."""
        for via, local_only in (
            (via_value("0" * 32), True),
            ("1.1 proxy.example, 1.1 pacserve-00 (x)", True),
            ("HTTP/1.1 PACSERVE-00", True),
            ("1.1 proxy.example", False),
            ("1.1 proxy (1.1 pacserve-00)", False),
            ("", False),
        ):
            self.successResultOf(self.answer("core", "x86_64", NAME, headers=[("Via", via)]))
            self.assertEqual(self.delivery.asked[-1][2], local_only, via)
