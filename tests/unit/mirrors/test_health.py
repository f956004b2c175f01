"""Tests for `pacserve.mirrors.health`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.mirrors.health import (
    ABSENCE_LIFETIME,
    FIRST_PENALTY,
    LIE_PENALTY,
    LONGEST_PENALTY,
    LONGEST_REST,
    SHORTEST_REST,
    Absences,
    Fault,
    MirrorHealth,
)
from pacserve.packages.files import FileKind, FileRequest


class HealthTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.health = MirrorHealth()

    def order(self, now: float) -> str:
        """The order of the mirrors a, b and c."""
        return "".join(self.health.in_order("abc", str, now))

    def penalty(self, now: float) -> float:
        """Seconds from `now` on for which a comes last."""
        seconds = 0
        while self.order(now + seconds) != "abc":
            seconds += 1
        return seconds

    def test_given_order(self) -> None:
        """As long as all is well the order is pacman's."""
        self.health.succeeded("c")
        self.assertEqual(self.order(0), "abc")

    def test_failed_comes_last(self) -> None:
        """One that failed comes last for a while, and a slow one before it."""
        self.health.blame("a", Fault.FAILED, 0)
        self.health.blame("b", Fault.SLOW, 0)
        self.assertEqual(self.order(FIRST_PENALTY - 1), "cba")
        self.assertEqual(self.order(FIRST_PENALTY), "abc")

    def test_lied(self) -> None:
        """One that lied comes behind those that failed, for a fixed time: no answer forgives it, and no other fault takes its place."""
        self.health.blame("a", Fault.FAILED, 0)
        self.health.blame("b", Fault.FAILED, 0)
        self.health.blame("a", Fault.LIED, 1)
        self.assertEqual(self.order(2), "cba")
        self.health.blame("a", Fault.SLOW, 2)
        self.health.succeeded("a")
        self.assertEqual(self.health.penalty("a", 1), (Fault.LIED, LIE_PENALTY))
        self.assertEqual(self.order(LIE_PENALTY + 1), "abc")
        self.health.rest("a", 60, 2)
        self.assertEqual(self.health.penalty("a", 2), (Fault.RESTING, 60))

    def test_doubling(self) -> None:
        """Each failure after the end of a penalty doubles it, up to a limit; an answer forgives all."""
        now, penalties = 0.0, []
        for _ in range(6):
            self.health.blame("a", Fault.FAILED, now)
            penalties.append(self.penalty(now))
            now += penalties[-1]
        self.assertEqual(penalties, [60, 120, 240, 480, 600, 600])
        self.health.succeeded("a")
        self.assertEqual(self.order(now), "abc")
        self.health.blame("a", Fault.FAILED, now)
        self.assertEqual(self.penalty(now), FIRST_PENALTY)

    def test_one_trouble_counts_once(self) -> None:
        """Five failures at the same moment are one: the penalty is not doubled four times."""
        for moment in range(5):
            self.health.blame("a", Fault.FAILED, moment)
        self.assertEqual(self.penalty(0), FIRST_PENALTY)

    def test_worse_fault_wins(self) -> None:
        """A slow mirror that then fails comes behind the slow ones."""
        self.health.blame("a", Fault.SLOW, 0)
        self.health.blame("b", Fault.SLOW, 0)
        self.health.blame("a", Fault.FAILED, 1)
        self.assertEqual(self.order(2), "cba")

    def test_rest(self) -> None:
        """Mirrors that ask to be left alone come last, in the order in which their time ends, and an answer to an older request changes nothing."""
        self.health.blame("c", Fault.FAILED, 0)
        self.health.rest("a", 30, 0)
        self.health.rest("b", 20, 0)
        self.health.succeeded("a")
        self.assertEqual([self.order(now) for now in (0, 19.9, 20, 29.9, 30)], ["cba", "cba", "bca", "bca", "abc"])
        self.assertEqual([self.health.resting("a", now) for now in (0, 29.9, 30)], [True, True, False])
        self.assertFalse(self.health.resting("c", 0))
        self.assertEqual(self.health.penalty("a", 10), (Fault.RESTING, 20))

    def test_rest_is_bounded(self) -> None:
        """A rest lasts from a second to an hour, and the latest word of a mirror counts."""
        for asked, given in ((0, SHORTEST_REST), (7200, LONGEST_REST), (5, 5)):
            self.health.rest("a", asked, 100)
            self.assertEqual(self.health.penalty("a", 100), (Fault.RESTING, given))

    def test_penalty_beside_rest(self) -> None:
        """A penalty that ends later than a rest holds on."""
        self.health.blame("a", Fault.FAILED, 0)
        self.health.rest("a", 5, 0)
        self.assertEqual(self.health.penalty("a", 6), (Fault.FAILED, FIRST_PENALTY - 6))

    def test_away_for_months(self) -> None:
        """A mirror that never comes back costs no more than the longest penalty."""
        now = 0.0
        for _ in range(3000):
            self.health.blame("a", Fault.FAILED, now)
            now += LONGEST_PENALTY
        self.assertEqual(self.penalty(now - 1), 1)

    def test_bounded(self) -> None:
        """However many mirrors fail, few are remembered."""
        for number in range(10_000):
            self.health.blame(str(number), Fault.FAILED, 0)
            self.health.rest(str(number), 5, 0)
        self.assertLess(len(self.health), 1000)


def request(number: int) -> FileRequest:
    """One of many files."""
    return FileRequest("core", "x86_64", f"p{number}-1-1-any.pkg.tar.zst", FileKind.PACKAGE)


class AbsencesTests(SynchronousTestCase):
    def test_remembered(self) -> None:
        """An absence holds for some seconds, and for that file alone."""
        absences = Absences()
        absences.remember(request(1), "404", 100.0)
        self.assertEqual(absences.get(request(1), 100.0 + ABSENCE_LIFETIME - 0.1), "404")
        self.assertIsNone(absences.get(request(1), 100.0 + ABSENCE_LIFETIME))
        self.assertIsNone(absences.get(request(2), 100.0))

    def test_bounded(self) -> None:
        """However many files are asked for that do not exist, the latest are remembered."""
        absences = Absences()
        for number in range(5000):
            absences.remember(request(number), "404", 0.0)
        self.assertEqual((len(absences), absences.get(request(4999), 1.0), absences.get(request(0), 1.0)), (1024, "404", None))
