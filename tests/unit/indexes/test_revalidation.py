"""Tests for `pacserve.indexes.revalidation`, as far as `test_databases` does not show them."""

from io import FileIO
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError, RequestError
from pacserve.indexes.revalidation import Revalidation
from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.download import Download
from pacserve.transfer.terms import Terms


class RevalidationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.revalidation = Revalidation()
        self.work: Deferred[None] = Deferred()
        self.ended: list[bool] = []

    async def worked(self) -> None:
        """Works until a test says that it is done."""
        try:
            await self.work
        except CancelledError:
            self.revalidation.decide(FetchError("stopped"))

    def start(self) -> None:
        """Starts the work."""
        self.revalidation.start(self.worked(), lambda: self.ended.append(True))

    def download(self) -> Download:
        """A download all of whose bytes have arrived."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        file = FileIO(f"{folder.name}/core.db", "x+b")
        self.addCleanup(file.close)
        download = Download("core.db", Arrival(None, Storage(lambda: file)), [], Clock(), Terms())
        download.file.size = 4
        download.file.write(b"data")
        return download

    def test_errors(self) -> None:
        """Everybody that asks is given an error of the kind that was decided first, and one of their own."""
        before = Deferred.fromCoroutine(self.revalidation.outcome())
        self.revalidation.decide(RequestError(404, "not there", "mirror"))
        self.revalidation.decide(FetchError("later"))
        errors = [self.failureResultOf(one, RequestError).value for one in (before, Deferred.fromCoroutine(self.revalidation.outcome()))]
        self.assertEqual({(error.status, str(error), error.origin) for error in errors}, {(404, "not there", "mirror")})
        self.assertIsNot(*errors)

    def test_checked(self) -> None:
        """Once all bytes have arrived their check is waited for, and not after its end."""
        self.start()
        self.successResultOf(Deferred.fromCoroutine(self.revalidation.checked()))
        self.revalidation.decide(self.download())
        waiting = [Deferred.fromCoroutine(self.revalidation.checked()) for _ in range(3)]
        gone = waiting.pop(0)
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.work.callback(None)
        for one in [*waiting, Deferred.fromCoroutine(self.revalidation.checked())]:
            self.successResultOf(one)
        self.assertEqual(self.ended, [True])

    def test_stop(self) -> None:
        """Work that is stopped has ended, and those that wait are told."""
        self.revalidation.stop()
        self.start()
        waiting = Deferred.fromCoroutine(self.revalidation.outcome())
        self.revalidation.stop()
        self.assertEqual((str(self.failureResultOf(waiting, FetchError).value), self.ended), ("stopped", [True]))
