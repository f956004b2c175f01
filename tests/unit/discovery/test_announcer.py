"""Tests for `pacserve.discovery.announcer`."""

from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.announcement import Announcement, Kind, decode
from pacserve.discovery.announcer import FAMILY_DELAY, SECOND_TRY, SPACING, Announcer, Timing
from pacserve.discovery.link import LANLink, LANListener

INTERVAL = 60.0


class Wire(LANLink):
    """Remembers when what was sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.sent: list[tuple[float, Kind, int, int]] = []

    def start(self, listener: LANListener) -> None:
        raise AssertionError("the announcer only sends")

    def stop(self) -> None:
        raise AssertionError("the announcer only sends")

    def send(self, payload: bytes, version: int) -> None:
        announcement = decode(payload)
        assert announcement is not None
        self.sent.append((self._clock.seconds(), announcement.kind, version, announcement.generation))


class AnnouncerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.wire = Wire(self.clock)
        self.hosts = 0
        self.generation = 1
        self.announcer = Announcer(
            self.wire,
            Timing(self.clock, Random(1), INTERVAL),
            lambda kind: Announcement(kind, "1" * 32, 15678, self.generation, ("x86_64",)),
            lambda: self.hosts,
        )

    def sent(self, version: int = 4) -> list[Kind]:
        """What was sent by one IP version since it was asked last."""
        kinds = [kind for _, kind, by, _ in self.wire.sent if by == version]
        self.wire.sent = [entry for entry in self.wire.sent if entry[2] != version]
        return kinds

    def quiet(self) -> None:
        """Says hello, and lets time pass until nothing is due but the next interval."""
        self.announcer.hello()
        self.clock.pump([0.1] * 100)
        self.wire.sent.clear()

    def test_start(self) -> None:
        """It says hello at the start, makes up for its loss once, and is there every interval, a little early."""
        self.announcer.hello()
        self.clock.advance(0.1)
        self.assertEqual(self.sent(), [Kind.HELLO])
        self.clock.advance(SECOND_TRY)
        self.assertEqual(self.sent(), [Kind.HERE])
        self.clock.pump([1.0] * 600)
        self.assertTrue(10 <= len(self.sent()) <= 13)

    def test_large_lan(self) -> None:
        """In a LAN of a thousand hosts it waits for up to some seconds before it says hello."""
        self.hosts = 1000
        waits = []
        for _ in range(20):
            began = self.clock.seconds()
            self.announcer.hello()
            while Kind.HELLO not in self.sent():
                self.clock.advance(0.05)
            waits.append(self.clock.seconds() - began)
        self.assertTrue(1.0 < max(waits) < 4.2)
        self.assertLess(min(waits), 1.0)

    def test_families(self) -> None:
        """IPv4 goes out first, IPv6 half a second later with the same words."""
        self.announcer.hello()
        self.clock.pump([0.01] * 100)
        (first, second) = self.wire.sent
        self.assertEqual((first[1:], second[1:]), ((Kind.HELLO, 4, 1), (Kind.HELLO, 6, 1)))
        self.assertAlmostEqual(second[0] - first[0], FAMILY_DELAY, delta=0.011)

    def test_hello_after_here(self) -> None:
        """A hello that follows another announcement within that half second goes out by IPv6 too."""
        self.quiet()
        self.announcer.changed()
        while Kind.HERE not in self.sent():
            self.clock.advance(0.01)
        self.announcer.hello()
        self.clock.pump([0.01] * 100)
        self.assertEqual((self.sent(4), self.sent(6)), ([Kind.HELLO], [Kind.HELLO]))

    def test_answers(self) -> None:
        """Any number of hellos gets one answer, soon."""
        self.quiet()
        for _ in range(50):
            self.announcer.answer()
        self.clock.advance(0.06)
        self.assertEqual(self.sent(), [Kind.HERE])
        self.clock.pump([0.1] * 20)
        self.assertEqual(self.sent(), [])

    def test_spacing(self) -> None:
        """However many hellos come, there is one answer in a second."""
        self.quiet()
        for _ in range(100):
            self.announcer.answer()
            self.clock.advance(0.1)
        self.assertLessEqual(len(self.sent()), 10 / SPACING + 1)

    def test_change(self) -> None:
        """A change is told within half a second, with the generation that there is by then."""
        self.quiet()
        self.generation = 2
        self.announcer.changed()
        self.generation = 3
        self.clock.advance(0.5)
        self.assertEqual([(kind, generation) for _, kind, version, generation in self.wire.sent if version == 4], [(Kind.HERE, 3)])

    def test_hello_before_here(self) -> None:
        """What is due when a hello is due becomes that hello."""
        self.quiet()
        self.announcer.answer()
        self.announcer.hello()
        self.clock.pump([0.1] * 15)
        self.assertEqual(self.sent(), [Kind.HELLO])

    def test_bye(self) -> None:
        """It says goodbye by both IP versions at once, and nothing after that."""
        self.quiet()
        self.announcer.changed()
        self.announcer.bye()
        self.assertEqual((self.sent(4), self.sent(6)), ([Kind.BYE], [Kind.BYE]))
        self.announcer.changed()
        self.announcer.answer()
        self.announcer.bye()
        self.clock.pump([1.0] * 200)
        self.assertEqual((self.wire.sent, self.clock.getDelayedCalls()), ([], []))

    def test_before_the_start(self) -> None:
        """Before it says hello it says nothing."""
        self.announcer.changed()
        self.announcer.answer()
        self.announcer.bye()
        self.assertEqual((self.wire.sent, self.clock.getDelayedCalls()), ([], []))
