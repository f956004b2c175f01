"""Tests for `pacserve.apt.front`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.content import StatedFile
from pacserve.apt.front import LOOKING_LIMIT, AptFront, AptRules
from pacserve.apt.knowledge import KnownFile, Releases
from pacserve.apt.targets import Target
from pacserve.errors import RequestError
from pacserve.network.addresses import IPAddress, parse_address
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask
from tests.fakes.apt_lists import FakeLists

BASE = "http://deb.example/debian"
DEB = f"{BASE}/pool/z/zlib1g_1_amd64.deb"
STATED = StatedFile(5, bytes(32), "zlib1g_1_amd64")
INDEX = KnownFile(StatedFile(7, bytes(32), "Packages.xz"), (f"{BASE}/dists/a/by-hash/SHA256/00", f"{BASE}/dists/a/Packages.xz"))
COMPONENT = KnownFile(StatedFile(8, bytes(32), "Release"), (f"{BASE}/dists/a/main/binary-amd64/Release",))
CLIENT = parse_address("127.0.0.1")


def no_header(_: str) -> None:
    """Gives no header."""
    return


class FakeReleases(Releases):
    """Hands out the name of what it was asked for."""

    async def release(self, target: Target, ask: Ask) -> Answer:
        return DocumentAnswer(f"release {target.url}".encode())

    def find(self, target: Target, client: IPAddress) -> KnownFile | None:
        return {**dict.fromkeys(INDEX.urls, INDEX), COMPONENT.urls[0]: COMPONENT}.get(target.url)


class FakeContent:
    """Hands out the name of the content."""

    def __init__(self) -> None:
        self.begun: list[KnownFile] = []

    async def deliver(self, file: KnownFile, ask: Ask) -> Answer:
        """Answers."""
        return DocumentAnswer(f"content {file.stated.name} {' '.join(file.urls)}".encode())

    def begin(self, file: KnownFile, client: IPAddress, *, own: bool) -> None:
        """Takes note of a file of this host."""
        if own:
            self.begun.append(file)


class FakePassing:
    """Hands out the URL that is passed on."""

    async def pass_on(self, url: str, ask: Ask) -> Answer:
        """Answers."""
        return DocumentAnswer(f"passed {url}".encode())


class FakePassed:
    """
    Takes note of what clients were given.

    Attributes:
        all: That.
    """

    def __init__(self) -> None:
        self.all: list[KnownFile] = []

    def given(self, known: KnownFile) -> None:
        """Takes note."""
        self.all.append(known)


class FrontTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.lists, self.content = FakeLists([BASE], {DEB: STATED}), FakeContent()
        self.passed = FakePassed()
        self.front = self.make()

    def make(self, *, diffs: bool = True) -> AptFront:
        """A front."""
        rules = AptRules(lambda authority: authority == "localhost:9988", lambda client: client == CLIENT, "abc", diffs)
        return AptFront(self.lists, FakeReleases(), self.content, FakePassing(), self.passed, rules)  # type: ignore[arg-type]

    def ask(self, url: str, headers: Mapping[str, str] = {}, query: str = "") -> Ask:
        """A request to a proxy."""
        authority, _, path = url.removeprefix("http://").partition("/")
        return Ask("GET", tuple(path.split("/")), CLIENT, headers.get, query, authority, f"/{path}")

    def answered(self, ask: Ask, front: AptFront | None = None) -> str:
        """Returns what the front says."""
        answer = self.successResultOf(Deferred.fromCoroutine((front or self.front).answer(ask)))
        assert isinstance(answer, DocumentAnswer)
        return answer.body.decode()

    def refused(self, ask: Ask, front: AptFront | None = None) -> int:
        """Returns the status of the refusal."""
        error = self.failureResultOf(Deferred.fromCoroutine((front or self.front).answer(ask)), RequestError).value
        assert isinstance(error, RequestError)
        return error.status

    def test_content(self) -> None:
        """A file that lists or releases state is content, wherever its mirror has it."""
        self.assertEqual(self.answered(self.ask(DEB)), f"content {STATED.name} {DEB}")
        for url in INDEX.urls:
            self.assertEqual(self.answered(self.ask(url)), f"content {INDEX.stated.name} {' '.join(INDEX.urls)}")
        self.assertEqual(self.passed.all[-1], INDEX)
        self.passed.all.clear()
        self.answered(replace(self.ask(DEB), method="HEAD"))
        self.assertEqual(self.passed.all, [])

    def test_debtorrents_form(self) -> None:
        """The host of the mirror may be the first part of the path, also where that form goes through the proxy."""
        parts = ("deb.example", "debian", "pool", "z", "zlib1g_1_amd64.deb")
        for authority in (None, "localhost:9988"):
            self.assertIn(DEB, self.answered(Ask("GET", parts, CLIENT, no_header, "", authority)))

    def test_releases(self) -> None:
        """The files that state indexes are handed out as such."""
        for name in ("InRelease", "Release", "Release.gpg"):
            self.assertEqual(self.answered(self.ask(f"{BASE}/dists/a/{name}")), f"release {BASE}/dists/a/{name}")

    def test_release_of_a_component(self) -> None:
        """A file that is called like one that states a suite, and is stated by one, is an index."""
        self.assertEqual(self.answered(self.ask(COMPONENT.urls[0])), f"content {COMPONENT.stated.name} {COMPONENT.urls[0]}")

    def test_passed_on(self) -> None:
        """Everything else is passed on, and all that is for a client with a password."""
        other = f"{BASE}/pool/z/unknown_1_amd64.deb"
        self.assertEqual(self.answered(self.ask(other)), f"passed {other}")
        for url in (DEB, f"{BASE}/dists/a/InRelease"):
            self.assertEqual(self.answered(self.ask(url, {"Authorization": "Basic x"})), f"passed {url}")

    def test_foreign_bases(self) -> None:
        """What is below no source is refused, after one more look; a source that is new by then is answered."""
        foreign = "http://evil.example/debian/pool/x.deb"
        for url in (foreign, "http://deb.example/other/x", "http://deb.example:8080/debian/x"):
            self.assertEqual(self.refused(self.ask(url)), 403)
        self.assertEqual(self.lists.looks, 3)
        self.lists.later = ["http://evil.example/debian"]
        self.assertEqual(self.answered(self.ask(foreign)), f"passed {foreign}")

    def test_no_files(self) -> None:
        """What can be no file is refused without a look: dots, a query, no host."""
        self.assertEqual(self.refused(self.ask(f"{BASE}/../x")), 403)
        self.assertEqual(self.refused(self.ask(DEB, query="x=1")), 403)
        self.assertEqual(self.refused(Ask("GET", ("localhost",), CLIENT, no_header)), 403)
        self.assertEqual(self.lists.looks, 0)

    def test_loop(self) -> None:
        """A request that has come from this daemon goes no further; one of another pacserve does."""
        self.assertEqual(self.refused(self.ask(DEB, {"Via": "1.1 pacserve-abc"})), 403)
        self.assertIn("content", self.answered(self.ask(DEB, {"Via": "1.1 pacserve-def"})))

    def test_differences(self) -> None:
        """Differences between indexes are files like others, unless apt is told that there are none; source packages have some, too."""
        url = f"{BASE}/dists/a/main/binary-amd64/Packages.diff/Index"
        self.assertEqual(self.answered(self.ask(url)), f"passed {url}")
        self.assertEqual(self.refused(self.ask(url), self.make(diffs=False)), 404)
        source = f"{BASE}/pool/z/zlib_1-1.diff.gz"
        self.assertEqual(self.answered(self.ask(source), self.make(diffs=False)), f"passed {source}")

    def test_welcome(self) -> None:
        """Somebody who looks is told what this is."""
        for authority in (None, "localhost:9988"):
            self.assertIn("setup --apt", self.answered(Ask("GET", ("",), CLIENT, no_header, "", authority)))

    def test_ahead(self) -> None:
        """Files of requests that wait are begun where their content is known; nothing else is done for them."""
        for url in (DEB, f"{BASE}/dists/a/InRelease", f"{BASE}/pool/unknown.deb", "http://evil.example/x", INDEX.urls[1]):
            self.front.ahead(self.ask(url))
        self.front.ahead(self.ask(DEB, {"Authorization": "Basic x"}))
        self.assertEqual([file.stated for file in self.content.begun], [STATED, INDEX.stated])
        self.assertEqual(self.lists.looks, 0)

    def test_ahead_of_the_lists(self) -> None:
        """What apt asks for while its lists are scanned is begun when they are known, as far as it is not too much."""
        self.lists.scanning = []
        for _ in range(LOOKING_LIMIT + 5):
            self.front.ahead(self.ask(DEB))
        self.assertEqual(self.content.begun, [])
        scanning, self.lists.scanning = self.lists.scanning, None
        for one in scanning:
            one.callback(None)
        self.assertEqual(len(self.content.begun), LOOKING_LIMIT)
        self.front.ahead(self.ask(DEB))
        self.assertEqual(len(self.content.begun), LOOKING_LIMIT + 1)
