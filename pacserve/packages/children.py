"""Child processes that answer a question and end."""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from pacserve.errors import FetchError, reason_of

# Seconds and bytes that a child gets; the database of the largest repository takes a second and a megabyte.
CHILD_TIMEOUT = 30.0
OUTPUT_LIMIT = 64 << 20
_COMPLAINT_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class ChildOutcome:
    """
    The outcome of a child process.

    Attributes:
        status: Its exit status, -1 when a signal ended it.
        output: What it wrote to stdout.
        complaint: The beginning of what it wrote to stderr.
    """

    status: int
    output: bytes
    complaint: str


class NotInstalledError(FetchError):
    """The program is not in PATH."""


class Run(Protocol):
    """Runs programs."""

    @abstractmethod
    async def __call__(self, command: Sequence[str], output: int | None = None) -> ChildOutcome:
        """
        Runs a command to its end.

        Args:
            output: The descriptor of a file that takes what the command writes to stdout, in place of the outcome.

        Raises:
            NotInstalledError: It is not in PATH.
            FetchError: It can't be started, takes too long or says too much.
        """


class ChildRunner(Run):
    """Runs programs over a reactor."""

    def __init__(self, reactor: Any) -> None:
        self._processes: IReactorProcess = reactor
        self._clock: IReactorTime = reactor

    async def __call__(self, command: Sequence[str], output: int | None = None) -> ChildOutcome:
        if shutil.which(command[0]) is None:  # Twisted would only notice in the child
            raise NotInstalledError(f"{command[0]} is not installed")
        child = _Child()
        timer = None
        descriptors = {0: "w", 1: "r" if output is None else output, 2: "r"}
        try:
            # Messages are matched nowhere, but numbers and dates must not depend on the user's language.
            self._processes.spawnProcess(child, command[0], list(command), env={**os.environ, "LC_ALL": "C"}, childFDs=descriptors)
            timer = self._clock.callLater(CHILD_TIMEOUT, child.give_up, f"{command[0]} took more than {CHILD_TIMEOUT:.0f} s")
            return await child.ended
        except OSError as error:
            raise FetchError(f"{command[0]} can't be started: {reason_of(error, command[0])}") from error
        finally:
            if timer is not None and timer.active():
                timer.cancel()
            if child.running:  # the caller has gone
                _kill(child.transport)


class _Child(ProcessProtocol):
    """Collects the output of a child."""

    transport: Any

    def __init__(self) -> None:
        self.ended: Deferred[ChildOutcome] = Deferred()
        self.running = False
        self._output: list[bytes] = []
        self._size = 0
        self._complaint = b""

    def connectionMade(self) -> None:  # noqa: N802
        self.running = True
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        self._size += len(data)
        if self._size > OUTPUT_LIMIT:
            self.give_up(f"a child process wrote more than {OUTPUT_LIMIT >> 20} MiB")
        else:
            self._output.append(data)

    def errReceived(self, data: bytes) -> None:  # noqa: N802
        self._complaint = (self._complaint + data)[:_COMPLAINT_LIMIT]

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        self.running = False
        if not self.ended.called:
            end: Any = reason.value
            status = end.exitCode
            complaint = self._complaint.decode("utf-8", "replace").strip()
            self.ended.callback(ChildOutcome(-1 if status is None else status, b"".join(self._output), complaint))

    def give_up(self, reason: str) -> None:
        """Fails with a reason, and waits no longer for the child's answer."""
        if not self.ended.called:
            self._output.clear()
            self.ended.errback(FetchError(reason))


def _kill(transport: Any) -> None:
    try:
        transport.signalProcess("KILL")
    except ProcessExitedAlready:
        return
