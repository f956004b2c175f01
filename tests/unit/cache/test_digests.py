"""Tests for `pacserve.cache.digests`."""

import hashlib
import os
from collections.abc import Callable
from io import FileIO
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache.digests import READING_TIMEOUT, Digests
from pacserve.errors import FetchError
from pacserve.packages.files import HeldFile

CONTENT = b"content" * 1000


class DigestsTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = f"{folder.name}/file"
        with FileIO(self.path, "wb") as file:
            file.write(CONTENT)
        self.clock = Clock()
        self.threads: list[tuple[Callable[[], bytes], Deferred[bytes]]] = []
        self.digests = Digests(self.in_thread, self.clock)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        self.addCleanup(lambda: self.assertEqual(len(os.listdir("/proc/self/fd")), before))  # noqa: PTH208

    def in_thread(self, work: Callable[[], bytes]) -> Deferred[bytes]:
        """Begins work in a thread."""
        self.threads.append((work, Deferred()))
        return self.threads[-1][1]

    def work(self) -> None:
        """Lets the first thread do its work."""
        work, done = self.threads.pop(0)
        done.callback(work())

    def ask(self) -> Deferred[bytes | None]:
        """Asks for the digest, by a descriptor that is closed when the client leaves."""
        held = HeldFile("file", FileIO(self.path), len(CONTENT), 0, '"tag"')
        asked = Deferred.fromCoroutine(self.digests.of(held))

        def close(result: object) -> object:
            held.file.close()
            return result

        return asked.addBoth(close)

    def test_read_once(self) -> None:
        """Clients that ask at the same time, and later ones, have the file read once."""
        asked = [self.ask(), self.ask()]
        self.work()
        expected = hashlib.sha256(CONTENT).digest()
        self.assertEqual([self.successResultOf(one) for one in (*asked, self.ask())], [expected] * 3)
        self.assertEqual((self.threads, self.clock.getDelayedCalls()), ([], []))

    def test_slow(self) -> None:
        """A client does not wait for long; reading goes on, also when the client leaves, and the next one knows the digest."""
        slow, gone = self.ask(), self.ask()
        gone.cancel()
        gone.addErrback(lambda _: None)
        self.clock.advance(READING_TIMEOUT)
        self.failureResultOf(slow, FetchError)
        self.work()
        self.assertEqual(self.successResultOf(self.ask()), hashlib.sha256(CONTENT).digest())

    def test_unreadable(self) -> None:
        """A file that can't be read is no file for this client, and is tried again for the next."""
        for _ in range(2):
            asked = self.ask()
            _, done = self.threads.pop()
            done.errback(OSError(5, "Input/output error"))
            self.failureResultOf(asked, FetchError)
