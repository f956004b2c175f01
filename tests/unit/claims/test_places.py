"""Tests for `pacserve.claims.places`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.places import COMPLAINTS_LIMIT, SILENCE, Place


def reporting(*reports: tuple[float, int]) -> Place:
    """A host that followed another one from 0 s on, and said at some times how many bytes it has."""
    place = Place(reports=True)
    place.placed("leader", 0.0)
    for now, written in reports:
        place.report(written, now)
    return place


class PlaceTests(SynchronousTestCase):
    def test_rate(self) -> None:
        """The rate is the better one of the last two seconds, and is not known before: a host that was slow for one is not slow."""
        place = reporting((1.0, 100))
        self.assertIsNone(place.rate)
        for now, written, rate in ((2.0, 400, 300.0), (3.0, 500, 300.0), (4.0, 600, 100.0)):
            self.assertTrue(place.report(written, now))
            self.assertEqual(place.rate, rate)
        self.assertFalse(place.report(700, 4.5), "too early to tell")
        self.assertEqual((place.written, place.rate, place.has_by(5.5)), (700, 100.0, 800.0))

    def test_begun_again(self) -> None:
        """A file that is begun again is no negative rate."""
        place = reporting((1.0, 1000), (2.0, 0))
        self.assertIsNone(place.rate)
        place.report(200, 3.0)
        self.assertEqual(place.rate, 1000.0)

    def test_placed(self) -> None:
        """With another leader everything is measured anew."""
        place = reporting((1.0, 100), (2.0, 200))
        place.placed("other", 2.5)
        self.assertEqual((place.leader, place.rate), ("other", None))
        place.report(1000, 3.5)
        self.assertIsNone(place.rate)

    def test_held_up(self) -> None:
        """A host is held up that gets less than its leader and is behind; neither alone is enough, and what is not known says nothing."""
        leader = reporting((1.0, 1000), (2.0, 2000))
        for reports, held_up in (
            (((1.0, 500), (2.0, 1000)), True),
            (((1.0, 1300), (2.0, 1900)), False),
            (((1.0, 100), (2.0, 1000)), False),
            (((1.0, 500),), False),
        ):
            self.assertEqual(reporting(*reports).is_held_up(leader), held_up, reports)
        self.assertFalse(reporting((1.0, 500), (2.0, 1000)).is_held_up(Place()))

    def test_waits_itself(self) -> None:
        """A leader that has no more than its follower is not to blame, unless it was not heard for long, or says nothing at all."""
        leader = reporting((1.0, 1000))
        self.assertTrue(leader.has_given_all_to(1000, 2.0))
        self.assertFalse(leader.has_given_all_to(1000, 1.0 + SILENCE))
        leader.report(10_000_000, 2.0)
        self.assertFalse(leader.has_given_all_to(1000, 2.0))
        self.assertFalse(Place().has_given_all_to(0, 0.0))

    def test_complaints(self) -> None:
        """One address can't end the use of a host that says how far it is, whatever it says how often; of one that says nothing it can."""
        place = reporting()
        self.assertEqual((place.doubted, place.deserted), (False, False))
        for _ in range(2 * COMPLAINTS_LIMIT):
            place.complain("10.0.0.1")
        self.assertEqual((place.doubted, place.deserted), (True, False))
        place.complain("10.0.0.2")
        self.assertTrue(place.deserted)
        old = Place()
        old.complain("10.0.0.1")
        self.assertTrue(old.deserted)
