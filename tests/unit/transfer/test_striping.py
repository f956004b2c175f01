"""Tests for `pacserve.transfer.striping`, by downloads from simulated mirrors."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred

from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.division import Sizes
from pacserve.transfer.download import Download
from pacserve.transfer.lines import Lines
from pacserve.transfer.terms import Terms
from tests.unit.transfer.simulator import DATA, EXPECTED, NAME, Behaviour, Client, Fault, SceneCase, SimulatedMirror

SIZES = Sizes(file=1000, first=500, least=250, most=2000, alone=4000, window=6000)
# A mirror that gives 1000 bytes a second.
STEADY = Behaviour(piece=250, interval=0.25)


@dataclass(frozen=True)
class Outcome:
    """
    How a download ended.

    Attributes:
        given: The bytes that each mirror was asked for.
        seconds: Until its end.
        error: Why it failed; None where it did not.
    """

    mirrors: list[SimulatedMirror]
    client: Client
    given: list[int]
    seconds: float
    error: object


class StripingTests(SceneCase):
    def play(self, *behaviours: Behaviour, at_once: int = 3) -> Outcome:
        """A download from these mirrors, which a client reads."""
        scene = self.scene()
        mirrors = scene.mirrors(behaviours)
        download = Download(NAME, Arrival(EXPECTED, Storage(scene.create)), mirrors, scene.clock, Terms(lines=Lines(at_once, SIZES)))
        ends: list[tuple[float, object]] = []
        running = Deferred.fromCoroutine(download.run())
        running.addBoth(lambda result: ends.append((scene.clock.seconds(), result)))
        client = Client(download, scene.clock)
        scene.pass_time(120)
        self.assertEqual(len(ends), 1)
        self.assert_left_nothing(scene, mirrors)
        given = [sum(body.part[1] - body.part[0] for body in mirror.bodies) for mirror in mirrors]
        return Outcome(mirrors, client, given, *ends[0])

    def assert_right(self, outcome: Outcome) -> None:
        """The client has the whole file."""
        self.assertEqual((outcome.client.got, outcome.client.complete, outcome.error), (DATA, True, None))

    def test_three(self) -> None:
        """Three mirrors give a third of the file each, in a third of the time, and no byte twice."""
        outcome = self.play(STEADY, STEADY, STEADY)
        self.assert_right(outcome)
        self.assertLess(outcome.seconds, 4)
        self.assertEqual(sum(outcome.given), len(DATA))
        self.assertTrue(all(given > 3000 for given in outcome.given), outcome.given)

    def test_as_many_as_wanted(self) -> None:
        """No more mirrors are asked than the user wants."""
        outcome = self.play(STEADY, STEADY, STEADY, at_once=2)
        self.assert_right(outcome)
        self.assertEqual([bool(given) for given in outcome.given], [True, True, False])

    def test_faults(self) -> None:
        """One bad mirror of three costs nothing but its share, and the next in the list takes its place."""
        for bad in (
            Behaviour(status=404),
            Behaviour(refuses="connection refused"),
            Behaviour(delay=1e6),
            Behaviour(piece=250, interval=0.25, faults=(Fault(1000, "stalls"),)),
            Behaviour(piece=250, interval=0.25, faults=(Fault(1000, "breaks"),)),
            Behaviour(piece=250, interval=0.25, faults=(Fault(1000, "ends"),)),
            Behaviour(piece=250, interval=0.25, etag='"other"', modified="Fri, 02 Jan 2026 00:00:00 GMT"),
            Behaviour(piece=250, interval=0.25, content="longer"),
            Behaviour(piece=250, interval=0.25, ranges=False),
        ):
            for place in range(1, 3):
                behaviours = [STEADY, STEADY, STEADY]
                behaviours[place] = bad
                outcome = self.play(*behaviours)
                self.assert_right(outcome)
                self.assertLess(outcome.seconds, 8.5, (bad, place))

    def test_first_is_dead(self) -> None:
        """A first mirror that does not answer holds up the first byte for a moment only."""
        outcome = self.play(Behaviour(delay=1e6), STEADY, STEADY)
        self.assert_right(outcome)
        self.assertLess(outcome.seconds, 8)

    def test_all_fail(self) -> None:
        """Where no mirror gives parts the file comes from one mirror, as a whole."""
        whole = Behaviour(piece=250, interval=0.25, ranges=False)
        outcome = self.play(whole, whole, whole)
        self.assert_right(outcome)
        self.assertEqual(outcome.mirrors[0].bodies[-1].part, (0, len(DATA)))
