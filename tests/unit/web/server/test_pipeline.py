"""Tests for `pacserve.web.server.pipeline`, alone and on a connection."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.http.heads import WaitingHead
from pacserve.network.addresses import IPAddress, parse_address
from pacserve.web.fairness import CPU_BURST, REQUEST_BURST
from pacserve.web.server.pipeline import MOST_AHEAD, MOST_PIPELINED, Pipeline, too_many
from pacserve.web.server.responses import Responder
from pacserve.web.server.twisted_internals import begin_response
from tests.fakes.browser import Browser, site_of

HOST = "127.0.0.1"


def head(target: str, *lines: str, method: str = "GET") -> bytes:
    """A whole request."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *lines, "", ""]).encode("ascii")


def heads(first: int, behind: int) -> bytes:
    """Requests for numbers."""
    return b"".join(head(f"/{number}") for number in range(first, behind))


class Told:
    """Notes which requests wait, and for whom."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.clients: set[IPAddress] = set()

    def __call__(self, waiting: WaitingHead, client: IPAddress) -> None:
        self.targets.append(waiting.target.decode("ascii"))
        self.clients.add(client)


class PipelineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.told = Told()
        self.pipeline = Pipeline(self.told, parse_address(HOST))

    def test_once(self) -> None:
        """Each request is told of once, as soon as all of it is there, however often it is looked for."""
        data = heads(0, 3)
        for end in range(len(data) + 1):
            self.pipeline.look(data[:end])
        self.assertEqual(self.told.targets, ["/0", "/1", "/2"])
        self.pipeline.next()
        self.pipeline.look(data[len(head("/0")) :] + head("/3"))
        self.assertEqual(self.told.targets, ["/0", "/1", "/2", "/3"])
        self.assertEqual(self.told.clients, {parse_address(HOST)})

    def test_most(self) -> None:
        """Of many only the first ones are told of, the others as these are answered."""
        for first in range(12):
            self.pipeline.look(heads(first, 12))
            self.assertEqual(len(self.told.targets), min(first + MOST_AHEAD, 12))
            self.pipeline.next()
        self.assertEqual(self.told.targets, [f"/{number}" for number in range(12)])

    def test_unwatched(self) -> None:
        """Requests whose turn came before they were looked at change nothing."""
        for _ in range(3):
            self.pipeline.next()
        self.pipeline.look(heads(0, 2))
        self.assertEqual(self.told.targets, ["/0", "/1"])

    def test_other_methods(self) -> None:
        """Only a GET is worth it; others are passed over."""
        self.pipeline.look(head("/a", method="HEAD") + head("/b") + head("/c", method="POST") + head("/d"))
        self.assertEqual(self.told.targets, ["/b", "/d"])

    def test_end(self) -> None:
        """Nothing is looked for behind a request that ends the connection, now or later."""
        data = head("/a") + head("/b", "Connection: close")
        self.pipeline.look(data)
        self.pipeline.look(data + head("/c"))
        self.assertEqual(self.told.targets, ["/a", "/b"])

    def test_too_many(self) -> None:
        """There is a limit to the number and the bytes of what waits."""
        self.assertEqual([too_many(heads(0, count)) for count in (MOST_PIPELINED, MOST_PIPELINED + 1)], [False, True])
        self.assertEqual([too_many(bytes(count)) for count in (8192, 8193)], [False, True])


class Slow(Resource):
    """
    Answers a request when it is told to; below `/now` at once.

    Attributes:
        ahead: What it was told of.
        asked: The targets that it was asked for, in order.
        waiting: The requests that wait.
    """

    isLeaf = True  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self.ahead = Told()
        self.asked: list[str] = []
        self.waiting: list[Request] = []
        self._responder = Responder(lambda: 0.0)

    def render(self, request: Request) -> int:
        self.asked.append(request.uri.decode("latin-1"))
        self.waiting.append(request)
        if request.uri.startswith(b"/now"):
            self.answer()
        return NOT_DONE_YET

    def answer(self) -> None:
        """Answers the request that waits."""
        self._responder.send_line(self.waiting.pop(), 200, "x")


class ConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.slow = Slow()
        self.site = site_of(self.slow, self.clock)
        self.told = self.slow.ahead

    def browser(self, host: str = HOST) -> Browser:
        """A new connection."""
        return Browser(self.site, host)

    def answer(self) -> None:
        """Answers the request that waits, and gives the next one its turn."""
        self.slow.answer()
        self.clock.pump([0] * 3)

    def test_told(self) -> None:
        """While a request is answered those behind it are told of, each once, and asked for in their turn."""
        browser = self.browser()
        data = heads(0, 12)
        browser.send(data[:300])
        browser.send(data[300:])
        self.assertEqual((self.slow.asked, self.told.targets), (["/0"], [f"/{number}" for number in range(1, 10)]))
        self.answer()
        self.assertEqual((self.slow.asked, self.told.targets[9:]), (["/0", "/1"], ["/10"]))
        for _ in range(11):
            self.answer()
        self.assertEqual(self.slow.asked, [f"/{number}" for number in range(12)])
        self.assertEqual(self.told.targets, [f"/{number}" for number in range(1, 12)])
        self.assertEqual(len(browser.responses()), 12)
        browser.send(heads(20, 22))
        self.assertEqual(self.told.targets[11:], ["/21"])

    def test_alone(self) -> None:
        """A request that is alone, or is followed by half a one, or answered at once, is told of by nobody."""
        browser = self.browser()
        browser.send(head("/now1") * 5 + head("/a") + head("/b")[:-1])
        self.clock.pump([0] * 9)
        self.assertEqual((len(self.slow.asked), self.told.targets), (6, []))
        browser.send(b"\n")
        self.assertEqual(self.told.targets, ["/b"])

    def test_end(self) -> None:
        """Nothing is looked for behind a request that ends the connection, nor when the daemon is to end."""
        browser = self.browser()
        browser.send(head("/a", "Connection: close") + heads(0, 3))
        for begun in (True, False):
            browser = self.browser()
            browser.send(head("/a"))
            if begun:
                begin_response(self.slow.waiting[-1], 200, b"HTTP/1.1 200 OK\r\n")
            browser.channel.retire()
            browser.send(heads(0, 1))
        self.assertEqual(self.told.targets, [])

    def test_malformed(self) -> None:
        """What is malformed is refused when its turn has come; what is before it is answered."""
        browser = self.browser()
        browser.send(heads(0, 2) + b"nonsense\r\n\r\n" + heads(3, 5))
        self.assertEqual((self.told.targets, browser.responses()), (["/1"], []))
        self.answer()
        self.answer()
        self.assertEqual([response.status for response in browser.responses()], [200, 200, 400])
        self.assertEqual((self.slow.asked, self.told.targets), (["/0", "/1"], ["/1"]))

    def test_flood(self) -> None:
        """Nothing is started for a client that sends more than is answered."""
        self.browser().send(heads(0, MOST_PIPELINED + 2))
        self.assertEqual(self.told.targets, [])

    def test_too_much_used(self) -> None:
        """A host that has used too much of this one has nothing started before its turn."""
        browser = self.browser("10.0.0.7")
        allowance = browser.channel.visitor.allowance
        assert allowance is not None
        browser.send(heads(0, 3))
        self.assertEqual(self.told.targets, ["/1", "/2"])
        allowance.use(int(REQUEST_BURST), 0)
        browser.send(heads(3, 5))
        self.assertEqual(self.told.targets, ["/1", "/2"])
        self.clock.advance(1)
        browser.send(heads(5, 6))
        self.assertEqual(self.told.targets, [f"/{number}" for number in range(1, 6)])

    def test_time_is_counted(self) -> None:
        """The CPU time of what is started counts like that of answers."""
        cpu = Clock()
        self.patch(self.site._turns, "_cpu_seconds", cpu.seconds)
        self.slow.ahead = lambda *_: cpu.advance(CPU_BURST)  # type: ignore[assignment]
        browser = self.browser("10.0.0.7")
        allowance = browser.channel.visitor.allowance
        assert allowance is not None
        browser.send(heads(0, 1))
        self.assertEqual(allowance.wait(self.clock.seconds()), 0)
        browser.send(heads(1, 3))
        self.assertGreater(allowance.wait(self.clock.seconds()), 0)

    def test_no_interest(self) -> None:
        """A resource that has no use for it is not told."""
        del self.slow.ahead
        browser = self.browser()
        browser.send(heads(0, 3))
        for _ in range(3):
            self.answer()
        self.assertEqual(len(browser.responses()), 3)

    @given(
        st.lists(
            st.sampled_from(
                (
                    head("/a"),
                    head("/now"),
                    head("/b", method="HEAD"),
                    head("/c", "X: y"),
                    head("/d", "Content-Length: 0"),
                    head("/e", "X: a", " b"),
                    head("/f", "Connection: close"),
                    head("/g", "Content-Length: 3"),
                    b"\r\n",
                    b"nonsense\r\n",
                    b"GET /h HTTP/1.0\r\n\r\n",
                )
            ),
            max_size=12,
        ).map(b"".join),
        st.lists(st.tuples(st.integers(1, 200), st.booleans()), max_size=12),
    )
    def test_any_order(self, data: bytes, steps: list[tuple[int, bool]]) -> None:
        """However requests come and are answered, those that were told of are asked for later, in the same order, each once."""
        slow, clock = Slow(), Clock()
        browser = Browser(site_of(slow, clock), HOST)
        for length, answers in [*steps, (len(data), False)]:
            browser.send(data[:length])
            data = data[length:]
            if answers and slow.waiting:
                slow.answer()
            clock.pump([0] * 3)
        told = list(slow.ahead.targets)
        while slow.waiting:
            slow.answer()
            clock.pump([0] * 30)
        told += slow.ahead.targets[len(told) :]
        later = iter(slow.asked[1:])
        self.assertTrue(all(target in later for target in told), (told, slow.asked))
