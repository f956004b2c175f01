"""Tests for `pacserve.peers.news`."""

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import Endpoint
from pacserve.peers.news import LONGEST_SETTLING, NAMED_LIMIT, SETTLING_TIME, PeerNews
from pacserve.peers.peer import Identity, Peer, PeerState, named


def peer(number: int, name: str = "", count: int = 5) -> Peer:
    """A peer that is used."""
    made = named(number, Endpoint(f"10.0.0.{number}", 15678))
    made.observed.name = name
    made.observed.identity = Identity("1" * 32, 1, ("x86_64",), count)
    made.answered(PeerState.KNOWN)
    return made


class PeerNewsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.news = PeerNews(self.clock)
        self.lines: list[str] = []

        def observe(event: LogEvent) -> None:
            if event.get("log_namespace") == "pacserve.peers.news.PeerNews":
                level = "" if event["log_level"].name == "info" else f"{event['log_level'].name}: "
                self.lines.append(level + str(formatEvent(event)))

        observer: Any = observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_together(self) -> None:
        """Peers that are found at about the same time are told in one line, with the names that they tell beside their addresses."""
        self.news.polled(peer(1, "nas", 12))
        self.clock.advance(SETTLING_TIME - 0.1)
        self.news.polled(peer(2))
        self.clock.advance(SETTLING_TIME - 0.1)
        self.assertEqual(self.lines, [])
        self.clock.advance(0.1)
        self.assertEqual(self.lines, ["2 machines found: 10.0.0.1:15678 (nas) holds 12 files, 10.0.0.2:15678 holds 5 files"])

    def test_one(self) -> None:
        """A peer that is found by itself has a line of its own, and each is told once."""
        for one in (peer(1), peer(2, "nas")):
            for _ in range(3):
                self.news.polled(one)
                self.clock.advance(SETTLING_TIME)
        self.assertEqual(self.lines, ["peer 10.0.0.1:15678 holds 5 files", "peer 10.0.0.2:15678 (nas) holds 5 files"])

    def test_no_end(self) -> None:
        """However many are found one after the other, the first is told in time."""
        for number in range(100):
            self.news.polled(peer(number))
            self.clock.advance(SETTLING_TIME / 2)
            if self.lines:
                break
        self.assertAlmostEqual(self.clock.seconds(), LONGEST_SETTLING, delta=SETTLING_TIME)
        self.assertEqual(len(self.lines), 1)

    def test_many(self) -> None:
        """A line names a bounded number of peers, and the number of all."""
        for number in range(NAMED_LIMIT + 7):
            self.news.polled(peer(number))
        self.news.tell_found()
        (line,) = self.lines
        self.assertTrue(line.startswith("57 machines found: ") and line.endswith(", and 7 more"), line)
        self.assertEqual(line.count("holds"), NAMED_LIMIT)

    def test_order(self) -> None:
        """A peer that is found and lost again at once is told of in that order, and nothing is planned any more."""
        one, other = peer(1), peer(2)
        self.news.polled(one)
        one.observed.silent("no answer")
        self.news.polled(one)
        self.news.polled(other)
        self.news.dropped(other)
        self.assertEqual(
            self.lines,
            [
                "peer 10.0.0.1:15678 holds 5 files",
                "peer 10.0.0.1:15678 does not answer: no answer",
                "peer 10.0.0.2:15678 holds 5 files",
                "peer 10.0.0.2:15678 has gone",
            ],
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unknown_name(self) -> None:
        """A peer whose name no name server knows is warned of, once, with what to do; one that is switched off is not."""
        unknown, off = named(1, Endpoint("nsa.lan", 15678)), named(2, Endpoint("nas.lan", 15678))
        off.observed.addresses = ("10.0.0.3",)
        for one, trouble in ((unknown, "its name is not known"), (off, "no answer")):
            for _ in range(3):
                one.observed.silent(trouble)
                self.news.polled(one)
        told = "--pacserver nsa.lan:15678 can't be found: its name is not known; check the name, or give the address"
        self.assertEqual(self.lines, [f"warn: {told}", "peer nas.lan:15678 does not answer: no answer"])

    def test_untold(self) -> None:
        """A peer of which nothing was told does not go, either."""
        self.news.dropped(peer(1))
        self.assertEqual(self.lines, [])
