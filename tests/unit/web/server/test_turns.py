"""Tests for `pacserve.web.server.turns`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.web.fairness import REQUEST_BURST, REQUESTS_PER_SECOND, Allowance
from pacserve.web.server.turns import SHORTEST_WAIT, TURN_SECONDS, Turns


@implementer(IReactorFDSet)
class Outer(Clock):
    """A reactor that watches nothing, and keeps what it was given to watch."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: list[Any] = []

    def addReader(self, reader: Any) -> None:  # noqa: N802
        """Takes something to watch."""
        self.watched.append(reader)

    def removeReader(self, reader: Any) -> None:  # noqa: N802
        """Watches it no longer."""
        self.watched = [one for one in self.watched if one is not reader]

    addWriter = addReader  # noqa: N815
    removeWriter = removeReader  # noqa: N815

    def removeAll(self) -> list[Any]:  # noqa: N802
        """Is never called."""
        raise NotImplementedError

    getReaders = getWriters = removeAll  # noqa: N815


class Pipe(FileDescriptor):
    """A socket that is always ready, and takes a while to be served."""

    def __init__(self, reactor: Outer, seconds: float) -> None:
        super().__init__(reactor)
        self._seconds = seconds
        self._clock = reactor
        self.served = 0
        self.lost = False
        self.ends = socket.socketpair()
        self.ends[1].send(b"x")
        self.fail: BaseException | None = None

    def fileno(self) -> int:
        return self.ends[0].fileno()

    def doRead(self) -> BaseException | None:  # noqa: N802
        """Takes its time."""
        self.served += 1
        self._clock.rightNow += self._seconds
        return self.fail

    def connectionLost(self, reason: object) -> None:  # noqa: N802
        self.lost = True

    def close(self) -> None:
        """Closes both ends."""
        for end in self.ends:
            end.close()


class SharedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.outer = Outer()
        self.turns = Turns(self.outer)

    def shared(self, seconds: float) -> Pipe:
        """A socket of another host, each event of which takes so long."""
        pipe = Pipe(self.outer, seconds)
        self.addCleanup(pipe.close)
        self.turns.share(pipe)
        self.nested = self.outer.watched[-1]
        return pipe

    nested: Any = None

    def tearDown(self) -> None:
        if self.nested is not None:
            self.nested._poller.close()

    def test_seen_as_one(self) -> None:
        """All sockets of other hosts are one for the reactor."""
        first = Pipe(self.outer, 0.0)
        self.addCleanup(first.close)
        first.startReading()
        self.assertEqual(self.outer.watched, [first])
        pipes = [self.shared(TURN_SECONDS / 3) for _ in range(3)]
        self.assertEqual(self.outer.watched, [first, self.nested])
        self.nested.doRead()
        self.assertEqual(sum(pipe.served for pipe in pipes), 4)

    def test_time_of_a_turn(self) -> None:
        """In one turn as many are served as there is time for; in the next ones the others, and nobody again before them."""
        pipes = [self.shared(TURN_SECONDS / 3) for _ in range(12)]
        self.nested.doRead()
        self.assertEqual(sum(pipe.served for pipe in pipes), 4)
        for _ in range(2):
            self.nested.doRead()
        self.assertEqual([pipe.served for pipe in pipes], [1] * 12)

    def test_failures(self) -> None:
        """A socket that has failed is closed, as by any reactor, and the others go on."""
        bad, good = self.shared(TURN_SECONDS), self.shared(TURN_SECONDS)
        bad.fail = ConnectionError("reset")
        self.nested.doRead()
        self.nested.doRead()
        self.assertEqual((bad.lost, bad.served, good.lost, good.served), (True, 1, False, 2))

    def test_no_descriptor(self) -> None:
        """Where no file descriptor is left the connection stays with the reactor."""

        def fail(*_: object) -> None:
            raise OSError("too many open files")

        self.patch(self.outer, "addReader", fail)
        pipe = Pipe(self.outer, 0.0)
        self.addCleanup(pipe.close)
        self.turns.share(pipe)
        self.assertIs(pipe.reactor, self.outer)


class NextTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.served: list[str] = []

    def serve(self, name: str, allowance: Allowance | None = None, seconds: float = 0.0) -> Callable[[], None]:
        """A connection that goes on, which takes a while."""

        def go_on() -> None:
            self.served.append(name)
            self.clock.rightNow += seconds
            if allowance is not None:
                allowance.use(1, 0.0)

        return go_on

    def test_this_host(self) -> None:
        """A connection of this host goes on in the next turn."""
        self.turns.next(None, self.serve("own"))
        self.assertEqual(self.served, [])
        self.clock.advance(0)
        self.assertEqual(self.served, ["own"])

    def test_one_of_each_source(self) -> None:
        """Sources take turns, however many of their connections wait."""
        crowd, single = Allowance(0.0), Allowance(0.0)
        for number in range(3):
            self.turns.next(crowd, self.serve(f"crowd {number}"))
        self.turns.next(single, self.serve("single"))
        self.clock.advance(0)
        self.assertEqual(self.served, ["crowd 0", "single", "crowd 1", "crowd 2"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_time_of_a_turn(self) -> None:
        """In one turn as many go on as there is time for; the others are next."""
        for number in range(4):
            self.turns.next(Allowance(0.0), self.serve(str(number), seconds=TURN_SECONDS * 0.6))
        self.turns._go_on()
        self.assertEqual(self.served, ["0", "1"])
        self.turns._go_on()
        self.assertEqual(self.served, ["0", "1", "2", "3"])

    def test_too_much_used(self) -> None:
        """The connections of a source that has used too much wait until it may use more, and go on no faster than that."""
        allowance = Allowance(0.0)
        allowance.use(int(REQUEST_BURST) + 1, 0.0)
        for number in range(30):
            self.turns.next(allowance, self.serve(str(number), allowance))
        self.clock.advance(0)
        self.assertEqual(self.served, [])
        for _ in range(3):
            before = len(self.served)
            self.clock.advance(SHORTEST_WAIT)
            self.assertIn(
                len(self.served) - before, range(int(REQUESTS_PER_SECOND * SHORTEST_WAIT) - 1, int(REQUESTS_PER_SECOND * SHORTEST_WAIT) + 2)
            )
        self.clock.advance(SHORTEST_WAIT)
        self.assertEqual(self.served, [str(number) for number in range(30)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """One that fails does not keep the others from going on."""

        def fail() -> None:
            raise ZeroDivisionError

        allowance = Allowance(0.0)
        self.turns.next(allowance, fail)
        self.turns.next(allowance, self.serve("next"))
        self.assertRaises(ZeroDivisionError, self.turns._go_on)
        self.clock.advance(0)
        self.assertEqual(self.served, ["next"])
