"""Tests for `pacserve.apt.content_delivery`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from io import FileIO

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.catalogue import ContentCatalogue
from pacserve.apt.content import StatedFile
from pacserve.apt.content_delivery import EARLY_LIMIT, EARLY_OF_OTHERS, LIAR_REST, ContentDelivery
from pacserve.apt.knowledge import KnownFile
from pacserve.delivery.delivering import FileDelivery
from pacserve.errors import RequestError
from pacserve.mirrors.repositories import Lies
from pacserve.network.addresses import IPAddress, parse_address
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest, HeldFile
from pacserve.web.answers import Answer, DocumentAnswer, FileAnswer, SizeAnswer, StreamAnswer
from pacserve.web.front import Ask
from tests.fakes.arriving import Arriving

URLS = ("http://deb.example/debian/by-hash/SHA256/00", "http://deb.example/debian/x.deb")
FILE = KnownFile(StatedFile(5, bytes(32), "x_1_amd64"), URLS)
CLIENT = parse_address("127.0.0.1")


class FakeDelivery(FileDelivery):
    """
    Answers as it is told to.

    Attributes:
        asked: The requests.
    """

    def __init__(self) -> None:
        self.asked: list[FileRequest] = []
        self.next: Callable[[], Answer | Deferred[Answer]] = lambda: DocumentAnswer(b"file")

    async def deliver(
        self, request: FileRequest, client: IPAddress, *, local_only: bool = False, head_only: bool = False, offset: int = 0, forced: bool = False
    ) -> Answer:
        self.asked.append(request)
        answer = self.next()
        return await answer if isinstance(answer, Deferred) else answer


class FakeMirrors:
    """
    Remembers by hand.

    Attributes:
        refused: The status by which files are refused.
        lied: The lies.
    """

    refused: int | None = None
    lied: Lies | None = None

    def refusal(self, urls: tuple[str, ...]) -> int | None:
        """Returns the status."""
        return self.refused

    def lies(self, urls: tuple[str, ...]) -> Lies | None:
        """Returns the lies."""
        return self.lied

    def is_spoilt(self, name: str) -> bool:
        """Returns whether there were any."""
        return self.lied is not None and name == FILE.stated.name


class FakePassing:
    """Passes nothing on, and says so."""

    async def pass_stated(self, urls: tuple[str, ...], expected: ExpectedFile) -> Answer:
        """Answers."""
        return DocumentAnswer(f"passed {' '.join(urls)} {expected.size}".encode())


def unavailable() -> Answer:
    raise RequestError(504, "no mirror", "mirror http://deb.example")


class DeliveryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.delivery, self.mirrors, self.catalogue = FakeDelivery(), FakeMirrors(), ContentCatalogue()
        self.far = False
        self.content = ContentDelivery(
            self.delivery,
            self.catalogue,
            self.mirrors,  # type: ignore[arg-type]
            FakePassing(),  # type: ignore[arg-type]
            lambda request, offset: self.far and offset == 17,
            self.clock,
        )

    def deliver(self, headers: Mapping[str, str] = {}, method: str = "GET") -> Answer:
        """Asks for the file."""
        ask = Ask(method, ("debian", "x.deb"), CLIENT, headers.get)
        return self.successResultOf(Deferred.fromCoroutine(self.content.deliver(FILE, ask)))

    def refused(self) -> int:
        """Returns the status of a refusal."""
        ask = Ask("GET", ("debian", "x.deb"), CLIENT, {}.get)  # type: ignore[arg-type]
        error = self.failureResultOf(Deferred.fromCoroutine(self.content.deliver(FILE, ask)), RequestError).value
        assert isinstance(error, RequestError)
        return error.status

    def test_request(self) -> None:
        """A file is asked for by its content, with the URLs of its mirror; its size is stated before."""
        self.assertEqual(self.deliver(), DocumentAnswer(b"file"))
        (request,) = self.delivery.asked
        self.assertEqual((request, request.where), (FileRequest("apt", "any", FILE.stated.name, FileKind.PACKAGE), URLS))
        self.assertEqual(self.catalogue.expected("apt", FILE.stated.name), ExpectedFile(5, bytes(32)))

    def test_head(self) -> None:
        """A client that wants only to know is told, and nothing is fetched."""
        self.assertEqual(self.deliver(method="HEAD"), SizeAnswer("lists", 5))
        self.assertEqual(self.delivery.asked, [])

    def test_refusal(self) -> None:
        """The mirror's refusal is passed on as it is."""
        self.delivery.next = unavailable
        self.mirrors.refused = 404
        self.assertEqual(self.refused(), 404)

    def test_last_resort(self) -> None:
        """Where the file could not be downloaded here, it is passed on straight from the mirror."""
        self.delivery.next = unavailable
        self.assertEqual(self.deliver(), DocumentAnswer(f"passed {' '.join(URLS)} 5".encode()))

    def test_wrong_bytes(self) -> None:
        """A mirror that gave a wrong file is not asked once more for the same client, and after the second time left alone for a while."""
        self.delivery.next = unavailable
        self.mirrors.lied = Lies(1, 0.0)
        self.assertEqual((self.refused(), self.delivery.asked[-1].where), (503, URLS))
        self.mirrors.lied = Lies(2, 0.0)
        self.assertEqual((self.refused(), self.delivery.asked[-1].where), (503, ()))
        self.clock.advance(LIAR_REST)
        self.assertEqual((self.refused(), self.delivery.asked[-1].where), (503, URLS))

    def test_no_splice(self) -> None:
        """A client that may have the beginning of a wrong file gets all of the right one; one that has no part is not concerned."""
        resumed = {"Range": "bytes=17-"}
        held = HeldFile(FILE.stated.name, FileIO(os.open("/dev/null", os.O_RDONLY)), 5, 0, '"x"')
        self.addCleanup(held.file.close)
        for answer in (StreamAnswer(Arriving(), "downloaded"), FileAnswer(held)):
            self.delivery.next = lambda answer=answer: answer  # type: ignore[misc]
            self.mirrors.lied = None
            self.assertEqual(self.deliver(resumed), answer)
            self.mirrors.lied = Lies(1, 0.0)
            self.assertFalse(self.deliver(resumed).ranges)  # type: ignore[union-attr]
            self.assertEqual(self.deliver(), answer)

    def test_far_ahead(self) -> None:
        """A client that would wait for long for the rest of a file gets it from the beginning."""
        self.delivery.next = lambda: StreamAnswer(Arriving(), "downloaded")
        self.far = True
        self.assertFalse(self.deliver({"Range": "bytes=17-"}).ranges)  # type: ignore[union-attr]
        self.assertTrue(self.deliver({"Range": "bytes=18-"}).ranges)  # type: ignore[union-attr]

    def test_early(self) -> None:
        """A file is begun once, however often it is asked for early, and what was opened for that is closed."""
        waiting: Deferred[Answer] = Deferred()
        self.delivery.next = lambda: waiting
        for _ in range(3):
            self.content.begin(FILE, CLIENT, own=True)
        self.assertEqual(len(self.delivery.asked), 1)
        arriving = Arriving()
        waiting.callback(StreamAnswer(arriving, "downloaded").opened())
        self.assertTrue(arriving.readers[0].closed)
        held = HeldFile(FILE.stated.name, FileIO(os.open("/dev/null", os.O_RDONLY)), 5, 0, '"x"')
        self.delivery.next = lambda: FileAnswer(held)
        self.content.begin(FILE, CLIENT, own=True)
        self.assertTrue(held.file.closed)

    def test_early_failures(self) -> None:
        """A file that can't be had early is asked for again in its turn."""
        self.delivery.next = unavailable
        self.content.begin(FILE, CLIENT, own=True)
        self.content.begin(FILE, CLIENT, own=True)
        self.assertEqual(len(self.delivery.asked), 2)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_early_limit(self) -> None:
        """No more files are begun early than the limit, and other hosts leave a part of it to this one."""
        self.delivery.next = Deferred
        for own, limit in ((False, EARLY_OF_OTHERS), (True, EARLY_LIMIT)):
            for number in range(EARLY_LIMIT + 5):
                self.content.begin(KnownFile(StatedFile(number, bytes(32), f"{own}{number}"), URLS), CLIENT, own=own)
            self.assertEqual(len(self.delivery.asked), limit)

    def test_held(self) -> None:
        """A file is held when it is here by its name, which it gets in the moment after its readers are told that it is whole."""
        arriving = Arriving()
        self.delivery.next = lambda: StreamAnswer(arriving, "downloaded")
        holding = Deferred.fromCoroutine(self.content.hold(FILE))
        self.assertNoResult(holding)
        self.assertTrue(arriving.readers[0].closed)
        self.clock.advance(0)
        self.assertFalse(self.successResultOf(holding))  # it ended before its last byte
        held = HeldFile(FILE.stated.name, FileIO(os.open("/dev/null", os.O_RDONLY)), 5, 0, '"x"')
        self.delivery.next = lambda: FileAnswer(held)
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(self.content.hold(FILE))))
        self.assertTrue(held.file.closed)
        self.delivery.next = unavailable
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(self.content.hold(FILE))))
