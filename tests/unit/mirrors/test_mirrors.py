"""Tests for `pacserve.mirrors.mirrors`."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, FetchError
from pacserve.mirrors.health import ABSENCE_LIFETIME, FIRST_PENALTY, Absences, Fault, MirrorHealth
from pacserve.mirrors.inquiry import Found, InconclusiveError, Inquiry, Question, UnfitError
from pacserve.mirrors.mirror import Mirror
from pacserve.mirrors.mirrors import GIVER_LIFETIME, YES_HOLDS, Mirrors
from pacserve.network.addresses import IPAddress, LocalAddresses
from pacserve.packages.files import FileKind, FileRequest
from pacserve.pacman.configuration import ConfigurationSource, PacmanConfiguration, Repository
from pacserve.pacman.servers import Servers
from pacserve.sources.candidates import Rank, Wanted
from pacserve.sources.locations import Holder, Offer
from tests.fakes.interfaces import NoUpstream

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


class Table(Inquiry):
    """
    Answers from a table, by host: a size, a status, or an error; a pair is what a HEAD and what a GET give.

    Attributes:
        asked: The method and the URL of each question.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def ask(self, mirror: Mirror, question: Question) -> Found:
        return self._look_up("HEAD", mirror, question, 0)

    async def ask_by_get(self, mirror: Mirror, question: Question) -> Found:
        return self._look_up("GET", mirror, question, 1)

    def _look_up(self, method: str, mirror: Mirror, question: Question, number: int) -> Found:
        self.asked.append(f"{method} {mirror.file_url(question.name)}")
        answer = self.answers.get(mirror.url.host, FetchError("name not found"))
        if isinstance(answer, tuple):
            answer = answer[number]
        if isinstance(answer, Exception):
            raise answer
        if answer == 404:
            raise AbsentError("404")
        if answer < 999:
            raise InconclusiveError(str(answer), faulty=answer >= 500)
        if question.size not in (None, answer):
            raise UnfitError(f"has {answer} bytes instead of {question.size}")
        return Found(answer)


class MirrorsTests(SynchronousTestCase):
    def mirrors(self, answers: Mapping[str, Any]) -> Mirrors:
        """The source, with mirrors that answer from a table."""
        self.clock = Clock()
        self.client = Table(answers)
        self.health = MirrorHealth()
        return Mirrors(Servers(Configuration(), Local(), (), 15678), self.client, self.health, Absences(), lambda _: NoUpstream(), self.clock)

    def settle(self, source: Mirrors, request: FileRequest, size: int | None = None) -> Deferred[Any]:
        """Settles the one candidate."""
        (candidate,) = source.candidates(Wanted(request, size, IPv4Address("127.0.0.1")))
        self.assertEqual(candidate.rank, Rank.MIRRORS)
        return Deferred.fromCoroutine(candidate.settle(self.clock.seconds() + 7.0))

    def test_location(self) -> None:
        """The location is the mirror's own URL; that a password stands in it is said, and the log gets none."""
        source = self.mirrors({"a.example": 50_000})
        answer = self.successResultOf(self.settle(source, PACKAGE, 50_000))
        self.assertEqual((answer.url, answer.size), (f"http://u:secret@a.example/core/{PACKAGE.name}", 50_000))
        self.assertEqual((answer.origin, answer.offer, answer.holder), ("mirror http://a.example/core", Offer(Holder.MIRROR, secret=True), ""))
        other = self.successResultOf(self.settle(self.mirrors({"a.example": 404, "b.example": 50_000}), PACKAGE, 50_000))
        self.assertEqual(other.offer, Offer(Holder.MIRROR))
        small = self.successResultOf(self.settle(self.mirrors({"a.example": 404, "b.example": 16384}), PACKAGE))
        self.assertEqual(small.offer, Offer(Holder.MIRROR, small=True))

    def test_all_failed(self) -> None:
        """That no mirror is likely to answer is said only when each of them failed lately; one that was slow may answer."""
        source = self.mirrors({})
        for origin, fault, failed in (("a", Fault.FAILED, False), ("b", Fault.SLOW, False), ("b", Fault.FAILED, True)):
            self.health.blame(f"http://{origin}.example", fault, self.clock.seconds())
            self.assertIs(source.all_failed(PACKAGE), failed)
        self.clock.advance(FIRST_PENALTY)
        self.assertIs(source.all_failed(PACKAGE), False)

    def test_all_rest(self) -> None:
        """Mirrors that asked to be left alone are not likely to answer either."""
        source = self.mirrors({})
        self.health.blame("http://a.example", Fault.FAILED, self.clock.seconds())
        self.health.rest("http://b.example", 5, self.clock.seconds())
        self.assertIs(source.all_failed(PACKAGE), True)
        self.clock.advance(5)
        self.assertIs(source.all_failed(PACKAGE), False)

    def test_signature_of_a_database(self) -> None:
        """The signature of a database is asked of the mirror that had the database, and of that alone, for a minute."""
        source = self.mirrors({"a.example": 404, "b.example": 1234})
        signature = FileRequest("core", "x86_64", "core.db.sig", FileKind.DATABASE)
        self.successResultOf(self.settle(source, DATABASE))
        self.client.answers = {"a.example": 1234, "b.example": 404}
        self.failureResultOf(self.settle(source, signature), AbsentError)
        self.clock.advance(GIVER_LIFETIME)
        self.assertEqual(self.successResultOf(self.settle(source, signature)).url, "http://u:secret@a.example/core/core.db.sig")

    def test_resumed(self) -> None:
        """A client that has the beginning already is sent to another mirror than one with a password, if there is one that has the file."""
        source = self.mirrors({"a.example": 50_000, "b.example": 50_000})
        wanted = Wanted(PACKAGE, None, IPv4Address("127.0.0.1"), offset=1000)
        origins = []
        for _ in range(2):
            (candidate,) = source.candidates(wanted)
            self.assertEqual(candidate.offer, source.consider(wanted)[0].offer)
            answer: Any = self.successResultOf(Deferred.fromCoroutine(candidate.settle(self.clock.seconds() + 7)))
            origins.append(answer.origin)
            self.client.answers = {"a.example": 50_000, "b.example": 404}
            self.clock.advance(YES_HOLDS)
        self.assertEqual(origins, ["mirror http://b.example/core", "mirror http://a.example/core"])

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
        self.assertEqual(self.client.asked[2:], [f"HEAD http://b.example/core/{PACKAGE.name}"])

    def test_a_yes_holds_shortly(self) -> None:
        """The same question within a second is not asked again, after that it is; another size is another question."""
        source = self.mirrors({"a.example": 50_000, "b.example": 50_000})
        for _ in range(3):
            self.successResultOf(self.settle(source, PACKAGE, 50_000))
        self.assertEqual(len(self.client.asked), 1)
        self.successResultOf(self.settle(source, PACKAGE))
        self.assertEqual(len(self.client.asked), 2)
        self.clock.advance(YES_HOLDS)
        self.successResultOf(self.settle(source, PACKAGE, 50_000))
        self.assertEqual(len(self.client.asked), 3)

    def test_wrong_size_everywhere(self) -> None:
        """A package that every mirror has in another size only is no certain no, and pacman is sent to none of them."""
        source = self.mirrors({"a.example": 50_001, "b.example": 5002})
        error = self.failureResultOf(self.settle(source, PACKAGE, 50_000), FetchError).value
        self.assertNotIsInstance(error, AbsentError)
        self.assertIn("has 50001 bytes instead of 50000", str(error))

    def test_remembers_little(self) -> None:
        """However many files are asked for, few answers are remembered."""
        source = self.mirrors({"a.example": 50_000})
        for number in range(1000):
            request = FileRequest("core", "x86_64", f"a{number}-1-1-any.pkg.tar.zst", FileKind.PACKAGE)
            self.successResultOf(self.settle(source, request))
        self.assertLess(len(source._found), 300)

    def test_absent_for_a_while(self) -> None:
        """A file that no mirror has is not asked for again at once, and other files are."""
        source = self.mirrors({"a.example": 404, "b.example": 404})
        self.failureResultOf(self.settle(source, PACKAGE), AbsentError)
        asked = len(self.client.asked)
        self.clock.advance(ABSENCE_LIFETIME - 0.1)
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

    def test_asked_by_get(self) -> None:
        """Where no mirror says yes, those that said neither yes nor no are asked by GET, in their order; a yes counts like any other."""
        source = self.mirrors({"a.example": (403, 404), "b.example": (405, 50_000)})
        answer = self.successResultOf(self.settle(source, PACKAGE, 50_000))
        self.assertEqual((answer.url, answer.offer.conclusive), (f"http://b.example/core/{PACKAGE.name}", True))
        self.assertEqual([line.split("/core")[0] for line in self.client.asked[2:]], ["GET http://u:secret@a.example", "GET http://b.example"])
        self.settle(source, PACKAGE, 50_000)
        self.assertEqual(len(self.client.asked), 4)

    def test_no_get_without_need(self) -> None:
        """Where a mirror says yes, or all say no, nobody is asked by GET."""
        for answers in ({"a.example": 403, "b.example": 50_000}, {"a.example": 404, "b.example": 404}):
            source = self.mirrors(answers)
            self.settle(source, PACKAGE).addErrback(lambda failure: failure.trap(AbsentError) and None)
            self.assertFalse([line for line in self.client.asked if line.startswith("GET")])

    def test_all_refuse(self) -> None:
        """Refusals of a GET are a clear no, which is remembered, and say nothing of the hosts."""
        source = self.mirrors({"a.example": (403, 404), "b.example": 404})
        self.failureResultOf(self.settle(source, PACKAGE), AbsentError)
        self.assertIsNone(self.health.penalty("http://a.example", self.clock.seconds()))
        self.failureResultOf(self.settle(source, PACKAGE), AbsentError)
        self.assertEqual(len(self.client.asked), 3)

    def test_undecided(self) -> None:
        """Is there no clear answer to a GET either, the first mirror that answered is the location, and is asked again next time."""
        for answers, host in (
            ({"a.example": 500, "b.example": 503}, "u:secret@a.example"),
            ({"a.example": FetchError("refused"), "b.example": 503}, "b.example"),
            ({"a.example": 404, "b.example": (405, FetchError("no answer"))}, "b.example"),
        ):
            source = self.mirrors(answers)
            answer = self.successResultOf(self.settle(source, PACKAGE, 50_000))
            self.assertEqual((answer.url, answer.size), (f"http://{host}/core/{PACKAGE.name}", None))
            self.assertFalse(answer.offer.conclusive)
            asked = len(self.client.asked)
            self.successResultOf(self.settle(source, PACKAGE, 50_000))
            self.assertEqual(len(self.client.asked), 2 * asked)

    def test_server_errors_count(self) -> None:
        """A mirror with a server error comes last for a while, one that dislikes a HEAD does not."""
        source = self.mirrors({"a.example": (503, 503), "b.example": (405, 405)})
        self.successResultOf(self.settle(source, PACKAGE))
        now = self.clock.seconds()
        self.assertIsNotNone(self.health.penalty("http://a.example", now))
        self.assertIsNone(self.health.penalty("http://b.example", now))

    def test_stated_size(self) -> None:
        """The size of a file that no database knows is what the first mirror with it states; None where none does."""
        for answers, size in (({"a.example": 50_000}, 50_000), ({"a.example": 404, "b.example": 1234}, 1234), ({"a.example": 404}, None)):
            source = self.mirrors(answers)
            self.assertEqual(self.successResultOf(Deferred.fromCoroutine(source.stated_size(PACKAGE, 7.0))), size)
            asked = len(self.client.asked)
            if size is not None:  # the location comes without a further question
                self.successResultOf(self.settle(source, PACKAGE))
                self.assertEqual(len(self.client.asked), asked)

    def test_considered(self) -> None:
        """Each mirror is considered in the order in which they are asked, with what it did wrong lately."""
        source = self.mirrors({"a.example": FetchError("refused"), "b.example": 1234})
        wanted = Wanted(PACKAGE, None, IPv4Address("127.0.0.1"))
        self.assertEqual([one.who for one in source.consider(wanted)], ["mirror http://a.example/core", "mirror http://b.example/core"])
        self.successResultOf(self.settle(source, DATABASE))
        found = [(one.who, one.reason) for one in source.consider(wanted)]
        late = "it failed lately, and comes last for 60 s"
        self.assertEqual(found, [("mirror http://b.example/core", ""), ("mirror http://a.example/core", late)])
        self.health.rest("http://b.example", 90, self.clock.seconds())
        resting = "it asked to be left alone, and comes last for 90 s"
        self.assertEqual([one.reason for one in source.consider(wanted)], [late, resting])
