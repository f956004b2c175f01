"""Tests for `pacserve.mirrors.mirrors`."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.client import HeadAnswer, HTTPClient
from pacserve.mirrors.absences import REMEMBERED, Absences
from pacserve.mirrors.health import MirrorHealth
from pacserve.mirrors.inquiry import Inquiry
from pacserve.mirrors.mirrors import YES_HOLDS, Mirrors
from pacserve.network.addresses import IPAddress, LocalAddresses
from pacserve.packages.files import FileKind, FileRequest
from pacserve.pacman.configuration import ConfigurationSource, PacmanConfiguration, Repository
from pacserve.pacman.servers import Servers
from pacserve.sources.candidates import Rank, Wanted
from pacserve.web.answers import RedirectAnswer

PACKAGE = FileRequest("core", "x86_64", "a-1:2+3~4-1-any.pkg.tar.zst", FileKind.PACKAGE)
DATABASE = FileRequest("core", "x86_64", "core.db", FileKind.DATABASE)


class Local(LocalAddresses):
    """A host that has but loopback."""

    def owns(self, address: IPAddress) -> bool:
        return address.is_loopback

    def attached(self, address: IPAddress) -> bool:
        return False


class Configuration(ConfigurationSource):
    """A pacman.conf with two mirrors for core."""

    servers = ("http://localhost:15678/request/core/x86_64", "http://u:secret@a.example/core", "http://b.example/core", "ftp://c.example/core")

    def current(self) -> PacmanConfiguration:
        repositories = {"core": Repository("core", self.servers), "none": Repository("none", ("ftp://c.example/none",))}
        return PacmanConfiguration(("x86_64",), (), "/var/lib/pacman", repositories)


class Table(HTTPClient):
    """Answers HEADs from a table: a status, a length, or an error."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def head(self, url: str, *, timeout: float) -> HeadAnswer:
        self.asked.append(url)
        answer = self.answers.get(url.split("/")[2].rpartition("@")[2], FetchError("name not found"))
        if isinstance(answer, Exception):
            raise answer
        return HeadAnswer(200, answer, Headers()) if answer > 999 else HeadAnswer(answer, None, Headers())


class MirrorsTests(SynchronousTestCase):
    def mirrors(self, answers: Mapping[str, Any]) -> Mirrors:
        """The source, with mirrors that answer from a table."""
        self.clock = Clock()
        self.client = Table(answers)
        inquiry = Inquiry(self.client, self.client, self.clock)
        return Mirrors(Servers(Configuration(), Local(), (), 15678), inquiry, MirrorHealth(), Absences(), self.clock)

    def settle(self, source: Mirrors, request: FileRequest, size: int | None = None) -> Deferred[Any]:
        """Settles the one candidate."""
        (candidate,) = source.candidates(Wanted(request, size, IPv4Address("127.0.0.1")))
        self.assertEqual(candidate.rank, Rank.MIRRORS)
        return Deferred.fromCoroutine(candidate.settle(self.clock.seconds() + 7.0))

    def test_redirect(self) -> None:
        """Pacman is sent to the mirror's own URL, password included; the log gets no password."""
        source = self.mirrors({"a.example": 5000})
        answer = self.successResultOf(self.settle(source, PACKAGE, 5000))
        expected = RedirectAnswer(f"http://u:secret@a.example/core/{PACKAGE.name}", "mirror http://a.example/core", 5000)
        self.assertEqual(answer, expected)

    def test_every_kind(self) -> None:
        """Databases and signatures go the same way as packages."""
        source = self.mirrors({"a.example": 404, "b.example": 1234})
        for request in (DATABASE, FileRequest("core", "x86_64", "core.db.sig", FileKind.DATABASE)):
            answer = self.successResultOf(self.settle(source, request))
            self.assertEqual((answer.url, answer.size), (f"http://b.example/core/{request.name}", 1234))

    def test_no_mirrors(self) -> None:
        """A repository without http mirrors has no candidate, and neither has an unknown one."""
        source = self.mirrors({})
        for repo in ("none", "unknown"):
            wanted = Wanted(FileRequest(repo, "x86_64", "x.db", FileKind.DATABASE), None, IPv4Address("127.0.0.1"))
            self.assertEqual(source.candidates(wanted), ())

    def test_failed_mirror_comes_last(self) -> None:
        """A mirror that failed is asked after the other one by the next request."""
        source = self.mirrors({"a.example": FetchError("connection refused"), "b.example": 1234})
        self.successResultOf(self.settle(source, DATABASE))
        self.assertEqual(len(self.client.asked), 2)
        self.successResultOf(self.settle(source, PACKAGE))
        self.assertEqual(self.client.asked[2:], [f"http://b.example/core/{PACKAGE.name}"])

    def test_a_yes_holds_shortly(self) -> None:
        """The same question within a second is not asked again, after that it is; another size is another question."""
        source = self.mirrors({"a.example": 5000, "b.example": 5000})
        for _ in range(3):
            self.successResultOf(self.settle(source, PACKAGE, 5000))
        self.assertEqual(len(self.client.asked), 1)
        self.successResultOf(self.settle(source, PACKAGE))
        self.assertEqual(len(self.client.asked), 2)
        self.clock.advance(YES_HOLDS)
        self.successResultOf(self.settle(source, PACKAGE, 5000))
        self.assertEqual(len(self.client.asked), 3)

    def test_wrong_size_everywhere(self) -> None:
        """A package that every mirror has in another size only is no certain no, and pacman is sent to none of them."""
        source = self.mirrors({"a.example": 5001, "b.example": 5002})
        error = self.failureResultOf(self.settle(source, PACKAGE, 5000), FetchError).value
        self.assertNotIsInstance(error, AbsentError)
        self.assertIn("has 5001 bytes instead of 5000", str(error))

    def test_remembers_little(self) -> None:
        """However many files are asked for, few answers are remembered."""
        source = self.mirrors({"a.example": 5000})
        for number in range(1000):
            request = FileRequest("core", "x86_64", f"a{number}-1-1-any.pkg.tar.zst", FileKind.PACKAGE)
            self.successResultOf(self.settle(source, request))
        self.assertLess(len(source._answers), 300)

    def test_absent_for_a_while(self) -> None:
        """A file that no mirror has is not asked for again at once, and other files are."""
        source = self.mirrors({"a.example": 404, "b.example": 404})
        self.failureResultOf(self.settle(source, PACKAGE), AbsentError)
        asked = len(self.client.asked)
        self.clock.advance(REMEMBERED - 0.1)
        error = self.failureResultOf(self.settle(source, PACKAGE), AbsentError).value
        self.assertEqual(str(error), "mirror http://a.example: 404; mirror http://b.example: 404")
        self.assertEqual(len(self.client.asked), asked)
        self.failureResultOf(self.settle(source, DATABASE), AbsentError)
        self.assertEqual(len(self.client.asked), 2 * asked)
        self.clock.advance(0.1)
        self.failureResultOf(self.settle(source, PACKAGE), AbsentError)
        self.assertEqual(len(self.client.asked), 3 * asked)

    def test_not_said(self) -> None:
        """Where a mirror did not say it is asked again at once."""
        source = self.mirrors({"a.example": 404})
        for count in (2, 4):
            self.failureResultOf(self.settle(source, PACKAGE), FetchError)
            self.assertEqual(len(self.client.asked), count)
