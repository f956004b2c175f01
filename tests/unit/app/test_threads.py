"""Tests for `pacserve.app.threads`."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.threads import Threads

# Seconds until a thread must have answered, many times what is usual.
_PATIENCE = 30


class Reactor:
    """Takes what threads hand over, and runs it when the test says so."""

    def __init__(self) -> None:
        self.calls: Queue[Callable[[], object]] = Queue()
        self.ends: list[Callable[[], object]] = []

    def callFromThread(self, call: Callable[..., object], *arguments: Any) -> None:  # noqa: N802
        self.calls.put(lambda: call(*arguments))

    def addSystemEventTrigger(self, phase: str, event: str, call: Callable[[], object]) -> None:  # noqa: N802
        self.ends.append(call)


class ThreadsTests(SynchronousTestCase):
    def test_hanging(self) -> None:
        """Where a file system does not answer all other kinds of work go on, and nothing waits for its thread at the end."""
        reactor, answers = Reactor(), Event()
        self.addCleanup(answers.set)
        threads = Threads(reactor)
        threads.start()
        kinds: list[Any] = [threads.read_repository, threads.read_configuration, threads.check]
        hanging = [Deferred.fromCoroutine(kind(lambda: answers.wait(_PATIENCE))) for kind in kinds]
        for _ in hanging:
            done = Deferred.fromCoroutine(threads.run(lambda: 5))
            reactor.calls.get(timeout=_PATIENCE)()
            self.assertEqual(self.successResultOf(done), 5)
        for end in reactor.ends:
            end()
        self.assertEqual([answer.called for answer in hanging], [False, False, False])
        answers.set()
        for _ in hanging:
            reactor.calls.get(timeout=_PATIENCE)()
        self.assertEqual([self.successResultOf(answer) for answer in hanging], [True, True, True])
