"""Tests for `pacserve.web.access_log`."""

import re
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import parse_address
from pacserve.web.access_log import FLUSH_DELAY, LINE_BURST, LINES_PER_SECOND, SUMMARY_INTERVAL, AccessLog
from pacserve.web.fairness import Rank
from pacserve.web.witness import Answered, ClientLeft

LOCAL = parse_address("127.0.0.1")
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"


TARGET = b"/request/core/x86_64/a"


def answered(status: int, origin: str, size: int | None, **more: Any) -> Answered:
    """A request of this machine that was answered, or another one where more is said of it."""
    return replace(Answered("request", "GET", TARGET, LOCAL, status, origin, size, 0.0), **more)


class AccessLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.written: list[str] = []
        self.log = AccessLog(self.written.append, self.clock, wall=lambda: 1_700_000_000.0)

    def line(self) -> str:
        """The only line that was logged, without its newline and without the time of day."""
        self.log.flush()
        (text,) = self.written
        self.assertTrue(re.fullmatch(STAMP + r" \[[a-z]+\] [\x20-\x7e]*\n", text), text)
        return text.partition(" ")[2][:-1]

    def test_file(self) -> None:
        """A file's line tells what, the status, from where, how many bytes and how long it took."""
        self.log.answered(answered(200, "cache", 95872, seconds=0.0123))
        self.assertEqual(self.line(), "[info] GET /request/core/x86_64/a: 200 from cache, 95872 bytes, 12.3 ms")

    def test_redirect(self) -> None:
        """A redirect is marked as one, with the size of the file behind it."""
        self.log.answered(answered(307, "peer 10.0.0.3:15678", 5, redirected=True))
        self.assertEqual(self.line(), "[info] GET /request/core/x86_64/a: 307 from peer 10.0.0.3:15678 (redirected), 5 bytes, 0.0 ms")

    def test_unknown_size(self) -> None:
        """A redirect to a file whose size nobody stated tells none."""
        self.log.answered(answered(307, "mirror https://example.org", None, redirected=True))
        self.assertEqual(self.line(), "[info] GET /request/core/x86_64/a: 307 from mirror https://example.org (redirected), 0.0 ms")

    def test_what_was_tried(self) -> None:
        """The line of an error tells what was tried before."""
        self.log.answered(answered(504, "mirror https://example.org: connection refused", 20))
        self.assertIn(": 504 after mirror https://example.org: connection refused, 20 bytes,", self.line())

    def test_error(self) -> None:
        """An error that nobody else was asked for has no source."""
        self.log.answered(answered(404, "", 0, method="HEAD"))
        self.assertEqual(self.line(), "[info] HEAD /request/core/x86_64/a: 404, 0 bytes, 0.0 ms")

    def test_cut_short(self) -> None:
        """A body that did not arrive as a whole is said to be cut short."""
        self.log.answered(answered(200, "cache", 5, complete=False))
        self.assertIn("5 bytes, cut short", self.line())

    def test_other_client(self) -> None:
        """A client on another host is named, this machine is not."""
        self.log.answered(answered(200, "cache", 5, client=parse_address("10.0.0.7")))
        self.assertTrue(self.line().endswith(", for 10.0.0.7"))

    def test_client_left(self) -> None:
        """A client that went away unanswered has a line that says so."""
        self.log.client_left(ClientLeft("request", "GET", TARGET, parse_address("10.0.0.7"), 2.0))
        self.assertEqual(self.line(), "[info] GET /request/core/x86_64/a: the client has left, 2000.0 ms, for 10.0.0.7")

    def test_quiet(self) -> None:
        """Quiet answers are logged at debug only."""
        self.log.answered(answered(200, "", 5, quiet=True, target=b"/info"))
        self.log.flush()
        self.assertEqual(self.written, [])
        self.log = AccessLog(self.written.append, self.clock, debug=True)
        self.log.answered(answered(200, "", 5, quiet=True, target=b"/info"))
        self.assertEqual(self.line(), "[debug] GET /info: 200, 5 bytes, 0.0 ms")

    def test_written_together(self) -> None:
        """Lines are written together, a moment later and in order, and lines after them are too."""
        for _ in range(2):
            self.written.clear()
            self.log.answered(answered(404, "", 0, target=b"/1"))
            self.log.answered(answered(404, "", 0, target=b"/2"))
            self.assertEqual(self.written, [])
            self.clock.advance(FLUSH_DELAY)
            (text,) = self.written
            self.assertEqual(re.findall(r"/\d(?=:)", text), ["/1", "/2"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """A flood of requests is not kept in memory until the time to write has come."""
        for _ in range(10_000):
            self.log.answered(answered(404, "", 0))
        self.assertGreater(sum(text.count("\n") for text in self.written), 8000)

    def test_flush_at_the_end(self) -> None:
        """Lines that wait are written when the daemon stops, and no timer is left."""
        self.log.answered(answered(404, "", 0))
        self.log.flush()
        self.assertEqual(len(self.written), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unwritable(self) -> None:
        """A full disk or a closed pipe costs the lines and nothing else."""

        def fail(text: str) -> None:
            raise OSError(28, "No space left on device")

        log = AccessLog(fail, self.clock)
        log.answered(answered(404, "", 0))
        self.clock.advance(FLUSH_DELAY)

    @given(st.binary(max_size=600), st.binary(max_size=50), st.text(max_size=50))
    def test_nothing_forges_a_line(self, target: bytes, method: bytes, origin: str) -> None:
        """Whatever a client or a mirror sends, a request is one line of printable ASCII, and not a long one."""
        self.written.clear()
        self.log.answered(answered(404, origin, 0, target=target, method=method.decode("latin-1")))
        self.assertLess(len(self.line()), 4000)


class ShareTests(SynchronousTestCase):
    """How much of the log one host can fill."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.written: list[str] = []
        ranking = {parse_address("10.0.0.1"): Rank.OWN}
        self.log = AccessLog(self.written.append, self.clock, wall=self.clock.seconds, ranking=lambda client: ranking.get(client, Rank.OTHER))

    def lines(self) -> list[str]:
        """The lines that were written since the last time."""
        self.log.flush()
        text = "".join(self.written)
        self.written.clear()
        return text.splitlines()

    def test_flood(self) -> None:
        """Of a host that asks without end so many requests are listed, and then some a second; the number of the others is written now and then."""
        flood = answered(200, "cache", 1, client=parse_address("10.0.0.7"))
        for _ in range(int(LINE_BURST) + 500):
            self.log.answered(flood)
        self.log.client_left(ClientLeft("request", "GET", TARGET, parse_address("10.0.0.7"), 0.0))
        self.assertEqual(len(self.lines()), LINE_BURST)
        self.clock.advance(SUMMARY_INTERVAL)
        (summary,) = self.lines()
        self.assertIn(" 501 more requests of 10.0.0.7 are not listed", summary)
        for _ in range(1000):
            self.log.answered(flood)
        self.assertEqual(len(self.lines()), LINES_PER_SECOND * SUMMARY_INTERVAL)

    def test_others(self) -> None:
        """Meanwhile all requests of this host are listed, by whatever address it asks, and those of other hosts."""
        for _ in range(int(LINE_BURST) + 500):
            self.log.answered(answered(200, "cache", 1, client=parse_address("fd77::7")))
        self.lines()
        for client in ("127.0.0.1", "10.0.0.1"):
            for _ in range(int(LINE_BURST) + 500):
                self.log.answered(answered(200, "cache", 1, client=parse_address(client)))
            self.assertEqual(len(self.lines()), LINE_BURST + 500)
        self.log.answered(answered(200, "cache", 1, client=parse_address("10.0.0.8")))
        self.log.answered(answered(200, "cache", 1, client=parse_address("fd77::8")))
        self.assertEqual(len(self.lines()), 1, "a host can have any address of its network")

    def test_upgrade(self) -> None:
        """A host that upgrades 1,500 packages once an hour has every request listed, and nothing is left to do then."""
        for _ in range(3):
            for _ in range(3000):
                self.log.answered(answered(200, "cache", 1, client=parse_address("10.0.0.7")))
            self.assertEqual(len(self.lines()), 3000)
            self.clock.advance(3600)
        self.assertEqual(self.clock.getDelayedCalls(), [])
