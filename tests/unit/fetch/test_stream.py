"""Tests for `pacserve.fetch.stream`."""

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError, IntegrityError, RemoteProtocolError
from pacserve.fetch.gathering import GATHERING_PAUSE, JUDGING_TIME, HostRates
from pacserve.fetch.stream import BodyStream, StreamingClient
from tests.fakes.wires import Wire, Wires

STALL = 3.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNSTATED = b'HTTP/1.1 200 OK\r\nETag: "x"\r\n\r\n'


class Setup(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.wires = Wires(self.clock)
        self.client = StreamingClient(self.wires.agent, self.clock, {"Via": "1.1 pacserve-00"})
        self.taken: list[bytes] = []

    def ask(self, timeout: float = 7.0) -> Deferred[BodyStream]:
        """Asks for a file."""
        return Deferred.fromCoroutine(self.client.stream("http://host.example/file", timeout=timeout, headers={"Range": "bytes=5-"}))

    def opened(self, answer: bytes) -> tuple[BodyStream, Wire]:
        """An answer, and the connection that it came by."""
        asked = self.ask()
        self.wires.made[-1].give(answer)
        return self.successResultOf(asked), self.wires.made[-1]

    def take(self, data: bytes) -> float:
        """Takes everything at once."""
        self.taken.append(data)
        return 0.0

    def consume(self, stream: BodyStream, take: Callable[[bytes], float] | None = None) -> Deferred[None]:
        """Takes the body."""
        return Deferred.fromCoroutine(stream.consume(take or self.take, STALL))

    def assert_free(self, wire: Wire, *, reused: bool = False) -> None:
        """The connection is closed, or waits for the next request; nothing is left running."""
        self.clock.advance(0)
        self.assertEqual((wire.closed, wire.producerState == "producing" or wire.closed), (not reused, True))
        if reused:
            self.wires.pool.closeCachedConnections()
            self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StreamTests(Setup):
    def test_whole(self) -> None:
        """A body comes as it arrives, and the connection is used again."""
        stream, wire = self.opened(HEAD + b"123")
        self.assertEqual((stream.answer.status, stream.answer.length), (200, 10))
        consumed = self.consume(stream)
        wire.give(b"4567890")
        self.successResultOf(consumed)
        self.assertEqual(b"".join(self.taken), b"1234567890")
        stream.drop()
        self.assert_free(wire, reused=True)

    def test_sent(self) -> None:
        """What the client and the caller send arrives, the bytes are asked for as they are, and nothing is asked when no time is left."""
        self.opened(HEAD)
        sent = self.wires.made[0].value().split(b"\r\n")
        for line in (b"Via: 1.1 pacserve-00", b"Range: bytes=5-", b"Accept-Encoding: identity"):
            self.assertIn(line, sent)
        for timeout in (0.0, -1.0):
            self.failureResultOf(self.ask(timeout), FetchError)
        self.assertEqual(len(self.wires.made), 1)

    def test_before(self) -> None:
        """A body that was there before anybody wanted it is not lost."""
        stream, wire = self.opened(HEAD + b"1234567890")
        self.successResultOf(self.consume(stream))
        self.assertEqual(self.taken, [b"1234567890"])
        self.assert_free(wire, reused=True)

    def test_length(self) -> None:
        """The length is what the answer states, and nothing where its body has another frame."""
        for head, length in ((HEAD, 10), (CHUNKED, None), (UNSTATED, None), (b"HTTP/1.1 206 x\r\nContent-Length: 3\r\n\r\n", 3)):
            stream, _ = self.opened(head)
            self.assertEqual(stream.answer.length, length)
            stream.drop()

    def test_cut(self) -> None:
        """A body that ends before all of it came has failed, whichever way the connection ended."""
        for head in (HEAD + b"123", CHUNKED + b"3\r\n123\r\n", CHUNKED + b"5\r\n123", CHUNKED):
            for reason in (ConnectionDone(), ConnectionLost()):
                stream, wire = self.opened(head)
                consumed = self.consume(stream)
                wire.lose(reason)
                self.failureResultOf(consumed, FetchError)
                self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unstated(self) -> None:
        """Where nothing else says how long a body is, it ends with the connection."""
        stream, wire = self.opened(UNSTATED + b"123")
        consumed = self.consume(stream)
        self.assertNoResult(consumed)
        wire.lose(ConnectionDone())
        self.successResultOf(consumed)
        self.assertEqual(self.taken, [b"123"])

    def test_chunked(self) -> None:
        """Chunks are put together; what is no chunk ends it."""
        stream, wire = self.opened(CHUNKED)
        consumed = self.consume(stream)
        wire.give(b"3\r\n123\r\n2\r\n45\r\n0\r\n\r\n")
        self.successResultOf(consumed)
        self.assertEqual(b"".join(self.taken), b"12345")
        self.assert_free(wire, reused=True)
        stream, wire = self.opened(CHUNKED)
        consumed = self.consume(stream)
        wire.give(b"no chunk\r\n")
        self.failureResultOf(consumed, FetchError)
        self.assert_free(wire)

    def test_encoded(self) -> None:
        """An encoding is told, identity is none."""
        for value, encoded in ((b"gzip", "gzip"), (b" X-Gzip ", "x-gzip"), (b"identity", ""), (b"", "")):
            stream, _ = self.opened(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Encoding: " + value + b"\r\n\r\n")
            self.assertEqual(stream.encoded, encoded)
            stream.drop()

    def test_strange_answers(self) -> None:
        """Statuses that HTTP does not know, encodings that nobody can undo and headers without end are errors, and their connections are freed."""
        for answer in (
            b"HTTP/1.1 999 x\r\nContent-Length: 10\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 60_000,
            b"nonsense\r\n\r\n",
        ):
            asked = self.ask()
            wire = self.wires.made[-1]
            wire.give(answer)
            self.clock.advance(0)
            self.failureResultOf(asked, RemoteProtocolError)
            self.assert_free(wire)

    @given(st.binary(max_size=200))
    @example(b"0\r\n\r\n")
    def test_anything(self, body: bytes) -> None:
        """Whatever comes as chunks is a body or a known error."""
        self.setUp()
        stream, wire = self.opened(CHUNKED)
        outcome: list[object] = []
        self.consume(stream).addBoth(outcome.append)
        wire.give(body)
        wire.lose(ConnectionDone())
        self.clock.advance(0)
        self.assertEqual(len(outcome), 1)
        if outcome[0] is not None:
            self.assertIsInstance(getattr(outcome[0], "value", None), FetchError)
        else:  # the connection was kept for the next question, and Twisted's pool forgets it after a while only
            self.clock.pump([300, 300])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FlowTests(Setup):
    def test_stall(self) -> None:
        """A body of which nothing comes for a while is given up, each byte begins that while anew."""
        stream, wire = self.opened(HEAD)
        consumed = self.consume(stream)
        self.clock.advance(STALL - 0.5)
        wire.give(b"1")
        self.clock.advance(STALL - 0.5)
        self.assertNoResult(consumed)
        self.clock.advance(0.5)
        self.failureResultOf(consumed, FetchError)
        self.assert_free(wire)

    def test_frames_are_no_bytes(self) -> None:
        """What belongs to the frame of a body keeps nobody waiting."""
        stream, wire = self.opened(CHUNKED)
        consumed = self.consume(stream)
        for _ in range(2):
            wire.give(b"0")
            self.clock.advance(STALL / 2)
        self.failureResultOf(consumed, FetchError)
        self.assert_free(wire)

    def test_pause(self) -> None:
        """Nothing is read as long as nothing is wanted, which is no stall, and from then on the body may stall again."""
        stream, wire = self.opened(HEAD)
        consumed = self.consume(stream, lambda _: 10.0)
        wire.give(b"1")
        self.assertEqual(wire.producerState, "paused")
        self.clock.advance(9.9)
        self.assertEqual(wire.producerState, "paused")
        self.clock.advance(0.1)
        self.assertEqual(wire.producerState, "producing")
        self.clock.advance(STALL)
        self.failureResultOf(consumed, FetchError)
        self.assert_free(wire)

    def test_hurry(self) -> None:
        """A pause ends before its time for who wants the next piece now; who is not paused is not disturbed."""
        stream, wire = self.opened(HEAD)
        stream.hurry()
        self.consume(stream, lambda _: 600.0)
        stream.hurry()
        self.clock.advance(0)
        self.assertEqual(wire.producerState, "producing")
        wire.give(b"1")
        stream.hurry()
        self.assertEqual(wire.producerState, "paused")
        self.clock.advance(0)
        self.assertEqual(wire.producerState, "producing")
        wire.give(b"2")
        self.assertEqual(wire.producerState, "paused")

    def test_pause_at_once(self) -> None:
        """What comes although nothing is wanted, as several chunks of one read do, is taken and ends no pause."""
        waits = [5.0, 0.0, 2.0]
        stream, wire = self.opened(CHUNKED)
        consumed = self.consume(stream, lambda _: waits.pop(0))
        wire.give(b"1\r\na\r\n1\r\nb\r\n")
        self.clock.advance(4.9)
        self.assertEqual(wire.producerState, "paused")
        self.clock.advance(0.1)
        wire.give(b"1\r\nc\r\n0\r\n\r\n")
        self.successResultOf(consumed)
        self.assert_free(wire, reused=True)

    def test_buffered_pause(self) -> None:
        """What had come with the headers is paused after as well, with the next read at the latest."""
        stream, wire = self.opened(HEAD + b"1")
        consumed = self.consume(stream, lambda _: 5.0)
        wire.give(b"2")
        self.assertEqual(wire.producerState, "paused")
        consumed.cancel()
        self.failureResultOf(consumed, CancelledError)

    def test_gathering(self) -> None:
        """The bytes of a slow source are read together, of which the taker knows nothing, and which is no stall."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
        stream, wire = self.opened(head)
        consumed = self.consume(stream)
        self.clock.advance(JUDGING_TIME)
        wire.give(b"1")
        self.assertEqual((wire.producerState, self.taken), ("paused", [b"1"]))
        self.clock.advance(GATHERING_PAUSE)
        self.assertEqual(wire.producerState, "producing")
        self.clock.advance(STALL - 0.01)
        self.assertNoResult(consumed)
        self.clock.advance(0.01)
        self.failureResultOf(consumed, FetchError)
        self.assert_free(wire)

    def test_gathering_at_once(self) -> None:
        """After a body of a slow host the next one is not read after its first piece, where hosts are remembered; other hosts are not concerned."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
        for rates, state in ((HostRates(), "paused"), (None, "producing")):
            self.client = StreamingClient(self.wires.agent, self.clock, rates=rates)
            stream, wire = self.opened(head)
            consumed = self.consume(stream)
            self.clock.advance(JUDGING_TIME)
            wire.give(b"1")
            consumed.cancel()
            self.failureResultOf(consumed, CancelledError)
            for url, expected in (("http://host.example/other", state), ("http://other.example/file", "producing")):
                asked = Deferred.fromCoroutine(self.client.stream(url, timeout=7.0))
                wire = self.wires.made[-1]
                wire.give(head)
                consumed = self.consume(self.successResultOf(asked))
                wire.give(b"1")
                self.assertEqual(wire.producerState, expected)
                consumed.cancel()
                self.failureResultOf(consumed, CancelledError)

    def test_limit_and_gathering(self) -> None:
        """A pause that the taker asks for is not made shorter by what comes meanwhile."""
        waits = [5.0, 0.0]
        stream, wire = self.opened(UNSTATED)
        consumed = self.consume(stream, lambda _: waits.pop(0))
        self.clock.advance(JUDGING_TIME)
        wire.give(b"1")
        wire.give(b"2")
        self.clock.advance(4.9)
        self.assertEqual(wire.producerState, "paused")
        self.clock.advance(0.1)
        self.assertEqual(wire.producerState, "producing")
        consumed.cancel()
        self.failureResultOf(consumed, CancelledError)

    def test_end_while_paused(self) -> None:
        """A body whose last piece asks for a pause has ended, and the connection is read again for the next answer."""
        stream, wire = self.opened(HEAD)
        consumed = self.consume(stream, lambda _: 5.0)
        wire.give(b"1234567890")
        self.successResultOf(consumed)
        self.assert_free(wire, reused=True)

    def test_lost_while_paused(self) -> None:
        """A connection that is lost during a pause is noticed."""
        stream, wire = self.opened(HEAD)
        consumed = self.consume(stream, lambda _: 5.0)
        wire.give(b"1")
        wire.lose(ConnectionLost())
        self.failureResultOf(consumed, FetchError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_take_raises(self) -> None:
        """What the taker raises is raised, as it is: a full disk is no failure of the host, nor is a defect."""
        for error in (IntegrityError("wrong"), OSError(28, "full"), ValueError("a defect"), ConnectionLost()):

            def take(_: bytes, error: Exception = error) -> float:
                raise error

            for at_once in (False, True):
                stream, wire = self.opened(HEAD + b"1" * at_once)
                consumed = self.consume(stream, take)
                if not at_once:
                    wire.give(b"1")
                self.assertIs(self.failureResultOf(consumed).value, error)
                self.assert_free(wire)

    def test_cancelled(self) -> None:
        """Who does not want the rest frees the connection, paused or not, and what still comes is not taken."""
        for waits in ([0.0], [5.0]):
            stream, wire = self.opened(HEAD)
            consumed = self.consume(stream, lambda _, waits=waits: waits[0])  # type: ignore[misc]
            wire.give(b"1")
            consumed.cancel()
            self.failureResultOf(consumed, CancelledError)
            self.assert_free(wire)

    def test_cancelled_before(self) -> None:
        """Who does not want the answer any more frees the connection."""
        asked = self.ask()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assert_free(self.wires.made[0])

    def test_no_answer(self) -> None:
        """A host that does not answer is given up."""
        asked = self.ask(2.0)
        self.clock.advance(2.0)
        self.failureResultOf(asked, FetchError)
        self.assert_free(self.wires.made[0])

    def test_drop(self) -> None:
        """A body that nobody wants frees its connection, and may be dropped twice."""
        for head in (HEAD, HEAD + b"123", CHUNKED, UNSTATED):
            stream, wire = self.opened(head)
            stream.drop()
            stream.drop()
            self.assert_free(wire)

    def test_drop_whole(self) -> None:
        """A body that has come whole, as those of most redirects do, leaves its connection to the next request."""
        for answer in (HEAD + b"1234567890", b"HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 304 x\r\n\r\n"):
            stream, wire = self.opened(answer)
            stream.drop()
            self.assert_free(wire, reused=True)
