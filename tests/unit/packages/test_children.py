"""Tests for `pacserve.packages.children`."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError
from pacserve.packages.children import CHILD_TIMEOUT, OUTPUT_LIMIT, ChildOutcome, ChildRunner


class Process:
    """
    A child process as its protocol sees it.

    Attributes:
        signals: Those that it was sent.
        stdin_open: Whether it could still read something.
        gone: Whether it has been reaped already, so that no signal reaches it.
    """

    def __init__(self) -> None:
        self.signals: list[str] = []
        self.stdin_open = True
        self.gone = False

    def closeStdin(self) -> None:  # noqa: N802
        self.stdin_open = False

    def signalProcess(self, signal: str) -> None:  # noqa: N802
        if self.gone:
            raise ProcessExitedAlready
        self.signals.append(signal)


class Processes(Clock):
    """
    A reactor whose child processes do what a test tells them.

    Attributes:
        error: What starting a process raises.
    """

    def __init__(self) -> None:
        super().__init__()
        self.error: OSError | None = None
        self.started: list[tuple[str, Sequence[str], Mapping[str, str]]] = []

    def spawnProcess(  # noqa: N802
        self,
        protocol: ProcessProtocol,
        path: str,
        args: Sequence[str],
        env: Mapping[str, str],
        *,
        childFDs: Mapping[int, Any],  # noqa: N803
    ) -> None:
        self.descriptors = childFDs
        if self.error is not None:
            raise self.error
        self.started.append((path, args, env))
        self.child: Any = protocol
        self.process = Process()
        self.child.makeConnection(self.process)

    def end(self, status: int = 0, signal: int | None = None) -> None:
        """The child ends."""
        self.process.gone = True
        self.child.processEnded(Failure(ProcessTerminated(status or None, signal) if status or signal else ProcessDone(0)))


class ChildRunnerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Processes()

    def start(self, *command: str) -> Deferred[ChildOutcome]:
        return Deferred.fromCoroutine(ChildRunner(self.reactor)(command or ("sh", "-c", "true")))

    def failure_of(self, running: Deferred[ChildOutcome]) -> str:
        return str(self.failureResultOf(running, FetchError).value)

    def test_output(self) -> None:
        """What a child writes is collected, or goes to the file that it is given."""
        self.start()
        self.assertEqual(self.reactor.descriptors, {0: "w", 1: "r", 2: "r"})
        running = Deferred.fromCoroutine(ChildRunner(self.reactor)(("sh", "-c", "true"), 17))
        self.assertEqual(self.reactor.descriptors, {0: "w", 1: 17, 2: "r"})
        self.reactor.end()
        self.assertEqual(self.successResultOf(running), ChildOutcome(0, b"", ""))

    def test_outcome(self) -> None:
        """What the child writes in pieces and its exit status are the outcome, and nothing waits any more."""
        running = self.start()
        self.reactor.child.outReceived(b"a\xff")
        self.reactor.child.errReceived(b" odd \xff")
        self.reactor.child.outReceived(b"b\n")
        self.assertNoResult(running)
        self.reactor.end(3)
        self.assertEqual(ChildOutcome(3, b"a\xffb\n", "odd \ufffd"), self.successResultOf(running))
        self.assertEqual([], self.reactor.getDelayedCalls())
        self.assertEqual([], self.reactor.process.signals)

    def test_started(self) -> None:
        """The child gets its arguments untouched, no input, this process's environment, and speaks no language of the user."""
        self.start("sh", "-c", "$(x) 'y'")
        path, arguments, environment = self.reactor.started[0]
        self.assertEqual(("sh", ["sh", "-c", "$(x) 'y'"], "C"), (path, arguments, environment["LC_ALL"]))
        self.assertIn("PATH", environment)
        self.assertFalse(self.reactor.process.stdin_open)

    def test_signal(self) -> None:
        """A child that a signal ended, such as that of the kernel when memory runs out, did not end well."""
        running = self.start()
        self.reactor.end(signal=9)
        self.assertEqual(-1, self.successResultOf(running).status)

    def test_not_installed(self) -> None:
        """A program that is not installed is named, and nothing is started."""
        self.assertEqual("no-such-program is not installed", self.failure_of(self.start("no-such-program")))
        self.assertEqual([], self.reactor.started)

    def test_not_startable(self) -> None:
        """When the machine can't start a process now, that is told and does no more harm."""
        self.reactor.error = OSError(11, "Resource temporarily unavailable")
        self.assertEqual("sh can't be started: resource temporarily unavailable", self.failure_of(self.start()))
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_too_long(self) -> None:
        """A child that takes too long is killed, and whoever waits is told so."""
        running = self.start()
        self.reactor.advance(CHILD_TIMEOUT - 1)
        self.assertNoResult(running)
        self.reactor.advance(1)
        self.assertIn("sh took more than 30 s", self.failure_of(running))
        self.assertEqual(["KILL"], self.reactor.process.signals)
        self.reactor.end(signal=9)

    def test_too_much(self) -> None:
        """A child that says too much is killed at once, and what it goes on saying is kept nowhere."""
        running = self.start()
        piece = bytes(1 << 20)
        for _ in range(OUTPUT_LIMIT >> 20):
            self.reactor.child.outReceived(piece)
        self.assertNoResult(running)
        self.reactor.child.outReceived(b"x")
        self.assertIn("64 MiB", self.failure_of(running))
        self.assertEqual(["KILL"], self.reactor.process.signals)
        self.reactor.child.outReceived(piece)
        self.reactor.end(signal=9)

    def test_long_complaint(self) -> None:
        """Of an endless complaint the beginning is kept."""
        running = self.start()
        for _ in range(1000):
            self.reactor.child.errReceived(b"no! " * 100)
        self.reactor.end(1)
        complaint = self.successResultOf(running).complaint
        self.assertTrue(complaint.startswith("no! no!") and len(complaint) <= 4096)

    def test_cancelled(self) -> None:
        """When nobody waits any more the child is killed, and its end is no surprise."""
        running = self.start()
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.assertEqual(["KILL"], self.reactor.process.signals)
        self.assertEqual([], self.reactor.getDelayedCalls())
        self.reactor.end(signal=9)

    def test_killed_too_late(self) -> None:
        """A child that has ended by itself just before it was to be killed raises nothing."""
        running = self.start()
        self.reactor.process.gone = True
        self.reactor.advance(CHILD_TIMEOUT)
        self.failure_of(running)
