"""Tests for `pacserve.web.bodies.events`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.web.access_log import AccessLog
from pacserve.web.answers import Answer, EventsAnswer
from pacserve.web.bodies.events import HEARTBEAT_INTERVAL, LOOK_TIMEOUT, MOST_LISTENERS, POLL_INTERVAL, Events
from pacserve.web.front import Ask, Front
from tests.fakes.browser import Browser, router_of, site_of

BEGINNING = "retry: 3000\n\n"


class Page(Front):
    """Answers with events."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def answer(self, ask: Ask) -> Answer:
        return EventsAnswer(self._events)


class EventsTestCase(SynchronousTestCase):
    """
    Has events of parts that the tests change.

    Attributes:
        parts: What is seen when somebody looks.
        looks: How often somebody looked.
        instead: Looks instead.
    """

    def setUp(self) -> None:
        self.clock = Clock()  # of nothing but the events: what they leave behind is seen
        self.parts = {"a": "1", "b": '{"x":2}'}
        self.looks = 0
        self.instead: Callable[[], Awaitable[Mapping[str, str]]] | None = None
        self.events = Events(self.look, self.clock)
        self.lines: list[str] = []
        self.log = AccessLog(self.lines.append, Clock(), debug=True)
        self.router = router_of({"events": Page(self.events)}, Clock(), witnesses=[self.log])
        self.site = site_of(self.router, Clock())

    async def look(self) -> Mapping[str, str]:
        """How things are."""
        self.looks += 1
        return dict(self.parts) if self.instead is None else await self.instead()

    def open(self, host: str = "127.0.0.1", **more: str) -> Browser:
        """A page that was opened."""
        browser = Browser(self.site, host)
        browser.ask("/events", **more)
        return browser

    def told(self, browser: Browser) -> list[object]:
        """Returns the events that a page was sent since the last time: their values, and None for a comment."""
        text = browser.wire.value().decode()
        browser.wire.clear()
        _, found, rest = text.partition(BEGINNING)
        events = (rest if found else text).split("\n\n")
        self.assertEqual(events.pop(), "")
        for event in events:
            self.assertNotIn("\n", event)
            self.assertTrue(event == ":" or event.startswith("data: "))
        return [None if event == ":" else json.loads(event.removeprefix("data: ")) for event in events]

    def pass_time(self, seconds: float) -> None:
        """Lets time pass, second by second."""
        self.clock.pump([POLL_INTERVAL] * int(seconds / POLL_INTERVAL))

    def assert_idle(self) -> None:
        """Nothing is under way, and nothing will happen."""
        self.assertEqual((len(self.events), self.router.running, self.clock.getDelayedCalls()), (0, 0, []))


class EventsTests(EventsTestCase):
    def test_head(self) -> None:
        """Events are a stream without an end that nobody keeps, and say when to come back; all parts come first."""
        browser = self.open()
        head, _, body = browser.wire.value().decode().partition("\r\n\r\n")
        self.assertTrue(head.startswith("HTTP/1.1 200 OK\r\n"))
        for field in ("Content-Type: text/event-stream", "Cache-Control: no-store", "Connection: close", "X-Content-Type-Options: nosniff"):
            self.assertIn(f"\r\n{field}", head)
        self.assertNotIn("Content-Length", head)
        self.assertEqual(body, 'retry: 3000\n\ndata: {"a":1,"b":{"x":2}}\n\n')

    def test_changes(self) -> None:
        """Only what has changed is told, once, to all who are there; who comes later is told all at once."""
        first = self.open()
        self.told(first)
        self.pass_time(3)
        self.assertEqual(self.told(first), [])
        self.parts["a"] = "5"
        second = self.open()
        self.assertEqual(self.told(second), [{"a": 1, "b": {"x": 2}}])
        self.pass_time(1)
        self.assertEqual([self.told(first), self.told(second)], [[{"a": 5}]] * 2)

    def test_after_a_pause(self) -> None:
        """A page that is opened when none was is sent the state of now, and not an older one before."""
        self.open().close()
        self.parts["a"] = "5"
        self.assertEqual(self.told(self.open()), [{"a": 5, "b": {"x": 2}}])

    def test_one_look(self) -> None:
        """Things are looked at once a second, however many pages are open, and not at all while none is."""
        browsers = [self.open() for _ in range(MOST_LISTENERS)]
        before = self.looks
        self.pass_time(10)
        self.assertEqual(self.looks - before, 10)
        for browser in browsers:
            browser.close()
        self.pass_time(10)
        self.assertEqual(self.looks - before, 10)
        self.assert_idle()

    def test_bounded(self) -> None:
        """The next one after the most is refused in words, and its connection closed; when one leaves there is room again."""
        browsers = [self.open() for _ in range(MOST_LISTENERS)]
        for method in ("GET", "HEAD"):
            refused = self.open(method=method)
            (response,) = refused.responses(method)
            self.assertEqual((response.status, response.headers["connection"], refused.closed), (503, "close", True))
        self.assertEqual(len(self.events), MOST_LISTENERS)
        browsers[3].close()
        self.assertEqual(len(self.events), MOST_LISTENERS - 1)
        self.assertTrue(self.told(self.open()))

    def test_reserved(self) -> None:
        """Other hosts can't take all places: this one has some of its own, and takes those of others where they are not enough."""
        others = [self.open(f"10.0.0.{number}") for number in range(MOST_LISTENERS)]
        self.assertLess(len(self.events), MOST_LISTENERS)
        taken = [browser for browser in others if not browser.closed]
        mine = [self.open() for _ in range(MOST_LISTENERS)]
        self.assertEqual([browser.closed for browser in (*taken, *mine)], [True] * len(taken) + [False] * MOST_LISTENERS)
        self.assertEqual(len(self.events), MOST_LISTENERS)

    def test_page_that_gives_way(self) -> None:
        """Where all places are taken, the oldest page of the host that has most ends in good order, and is told so by the end of its events."""
        many = [self.open("10.0.0.7") for _ in range(MOST_LISTENERS)]
        left = [browser for browser in many if not browser.closed]
        other = self.open("10.0.0.8")
        self.assertEqual([browser.closed for browser in left], [True] + [False] * (len(left) - 1))
        self.assertFalse(other.closed)
        self.assertTrue(self.told(other))
        (response,) = self.open("10.0.0.7").responses()
        self.assertEqual(response.status, 503)

    def test_looking(self) -> None:
        """A HEAD gets the head alone, and takes no place."""
        browser = self.open(method="HEAD")
        self.assertTrue(browser.wire.value().endswith(b"\r\n\r\n"))
        self.assertIn(b"text/event-stream", browser.wire.value())
        self.assertTrue(browser.closed)
        self.assertEqual(self.looks, 0)
        self.assert_idle()

    def test_slow(self) -> None:
        """A client that takes nothing is sent nothing more; then it is told the newest of each part, once, and no step between."""
        slow, other = self.open(), self.open()
        self.told(slow)
        slow.wire.limit = 0
        for number in range(1000):
            self.parts["a"] = str(number)
            if number == 500:
                self.parts["b"] = "null"
            self.pass_time(1)
        sent = self.told(slow)
        self.assertEqual(sent, [{"a": 0}])
        self.assertEqual(len(self.told(other)), 1001)
        slow.wire.limit = None
        slow.wire.take()
        self.assertEqual(self.told(slow), [{"a": 999, "b": None}])
        slow.wire.take()
        self.assertEqual(self.told(slow), [])

    def test_slow_client_leaves(self) -> None:
        """A client that leaves while something waits for it is told nothing, and takes nothing with it."""
        slow = self.open()
        slow.wire.limit = 0
        for number in "567":
            self.parts["a"] = number
            self.pass_time(1)
        slow.wire.clear()
        slow.close(cleanly=False)
        self.assertEqual(slow.wire.value(), b"")
        self.assert_idle()

    def test_heartbeat(self) -> None:
        """After some time without a change a comment is sent, and again after the same time; a change begins it anew.  A slow client gets none."""
        browser, slow = self.open(), self.open()
        slow.wire.limit = 0
        self.parts["a"] = "2"
        self.pass_time(1)
        self.told(browser), self.told(slow)
        self.pass_time(HEARTBEAT_INTERVAL - 1)
        self.assertEqual(self.told(browser), [])
        self.pass_time(1)
        self.assertEqual(self.told(browser), [None])
        self.pass_time(HEARTBEAT_INTERVAL - 2)
        self.parts["a"] = "3"
        self.pass_time(HEARTBEAT_INTERVAL)
        self.assertEqual(self.told(browser), [{"a": 3}])
        self.pass_time(2 * HEARTBEAT_INTERVAL)
        self.assertEqual(self.told(browser), [None, None])
        self.assertEqual(self.told(slow), [])

    def test_leaving(self) -> None:
        """The log has how much a client was told until it left, at debug."""
        browser = self.open()
        sent = len(browser.wire.value().partition(b"\r\n\r\n")[2])
        browser.close()
        self.log.flush()
        self.assertIn(f"[debug] GET /events: 200, {sent} bytes, cut short", "".join(self.lines))
        self.assert_idle()


class StopTests(EventsTestCase):
    def test_stop(self) -> None:
        """When the daemon stops all are let go, completely, and no timer is left; who comes then is refused."""
        browsers = [self.open() for _ in range(3)]
        self.events.stop()
        self.assertEqual([browser.closed for browser in browsers], [True] * 3)
        self.assert_idle()
        self.log.flush()
        self.assertNotIn("cut short", "".join(self.lines))
        (response,) = self.open().responses()
        self.assertEqual(response.status, 503)
        self.assertIn(b"stops", response.body)
        self.assert_idle()
        for browser in browsers:
            browser.close()
        self.events.stop()

    def test_stop_while_looking(self) -> None:
        """A look that is under way is given up."""
        cancelled: list[object] = []

        async def wait() -> Mapping[str, str]:
            return await Deferred(cancelled.append)

        self.instead = wait
        browser = self.open()
        self.events.stop()
        self.assertEqual((len(cancelled), browser.closed), (1, True))
        self.assert_idle()


class FailureTests(EventsTestCase):
    def test_fails(self) -> None:
        """A look that fails is logged, once in a row, and tried again; nobody is let go, and all are shown that the connection lives."""

        async def fail() -> Mapping[str, str]:
            raise ZeroDivisionError

        browser = self.open()
        self.told(browser)
        for _ in range(2):
            self.instead = fail
            self.pass_time(5)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.instead = None
            self.pass_time(1)
        self.parts["a"] = "7"
        self.pass_time(1)
        self.assertEqual(self.told(browser), [{"a": 7}])
        self.instead = fail
        self.pass_time(HEARTBEAT_INTERVAL)
        self.assertEqual(self.told(browser), [None])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_fails_first(self) -> None:
        """A page that is opened while looks fail is sent everything when they work again, and so are later pages."""

        async def fail() -> Mapping[str, str]:
            raise ZeroDivisionError

        self.instead = fail
        browsers = [self.open(), self.open()]
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.instead = None
        self.pass_time(1)
        for browser in browsers:
            self.assertEqual([one for one in self.told(browser) if one], [{"a": 1, "b": {"x": 2}}])

    def test_hangs(self) -> None:
        """A look that takes too long is given up, and the next one is a new one; no two run at the same time."""
        waiting: list[Deferred[Mapping[str, str]]] = []

        async def wait() -> Mapping[str, str]:
            waiting.append(Deferred())
            return await waiting[-1]

        self.instead = wait
        browser = self.open()
        self.pass_time(LOOK_TIMEOUT - 1)
        self.assertEqual(len(waiting), 1)
        with capturedLogs() as events:
            self.pass_time(2)
        self.assertEqual([event["log_level"].name for event in events], ["warn"])
        self.assertEqual(len(waiting), 2)
        self.assertTrue(waiting[0].called)
        waiting[1].callback({"a": "9"})
        self.assertEqual([one for one in self.told(browser) if one], [{"a": 9}])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_left_while_looking(self) -> None:
        """When the last one leaves during a look it is given up; who comes then begins a new one."""
        waiting: list[Deferred[Mapping[str, str]]] = []

        async def wait() -> Mapping[str, str]:
            waiting.append(Deferred())
            return await waiting[-1]

        self.instead = wait
        self.open().close()
        self.assert_idle()
        self.assertEqual(self.flushLoggedErrors(), [])
        browser = self.open()
        waiting[1].callback({"a": "9"})
        self.assertEqual(self.told(browser), [{"a": 9}])

    def test_look_that_can_not_be_given_up(self) -> None:
        """A look that ends with a result although it was given up stops nothing: who comes next is told what it found, and of what changes."""

        async def wait() -> Mapping[str, str]:
            try:
                await Deferred()
            except CancelledError:
                return {"a": "2"}
            raise AssertionError

        self.instead = wait
        self.parts = {"a": "3"}
        self.open().close()
        self.instead = None
        browser = self.open()
        self.pass_time(1)
        self.assertEqual(self.told(browser)[-1], {"a": 3})
