"""Tests for `pacserve.transfer.lanes`."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.transfer.division import Division, Lane, Sizes
from pacserve.transfer.lanes import FIRST_REST, MEASURED_PARTS, TRIAL_TIME, Lanes
from pacserve.transfer.lines import Lines
from tests.unit.transfer.simulator import Behaviour, SimulatedMirror

MUCH = 1 << 40
SIZES = Sizes(window=MUCH)


class LanesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines = Lines(3, SIZES)
        self.division = Division([(0, MUCH)], SIZES)

    def lanes(self, *behaviours: Behaviour) -> Lanes:
        """The mirrors of a file."""
        return Lanes([SimulatedMirror(Clock(), number, behaviour) for number, behaviour in enumerate(behaviours)], self.lines, 0.0)

    def ask(self, lanes: Lanes, now: float) -> list[Lane]:
        """Asks all mirrors that may be asked, one after the other."""
        asked = []
        while idle := lanes.idle(now):
            self.division.next(idle[0], 0, now, lanes.busy)
            self.lines.begin(idle[0].upstream)
            asked.append(idle[0])
        return asked

    def end(self, lane: Lane) -> None:
        """It gives no more of its part."""
        self.division.ended(lane)
        self.lines.end(lane.upstream)

    def numbers(self, lanes: Sequence[Lane]) -> list[int]:
        """Which mirrors these are."""
        return [int(lane.upstream.label.split()[-1]) for lane in lanes]


class ChoiceTests(LanesCase):
    def test_as_many_as_wanted(self) -> None:
        """So many mirrors are asked, in their order, and the next one takes the place of one that fails."""
        lanes = self.lanes(*[Behaviour()] * 5)
        asked = self.ask(lanes, 0.0)
        self.assertEqual((self.numbers(asked), lanes.busy), ([0, 1, 2], asked))
        self.end(asked[1])
        lanes.failed(asked[1], 1.0)
        self.assertEqual(self.numbers(self.ask(lanes, 1.0)), [3])

    def test_narrow_line(self) -> None:
        """Where the line of the host has use for two mirrors a third is not asked, but each file may begin with any of them."""
        self.lines.learn_width(2, 0.0)
        for first, second in ((0, 1), (2, None), (0, None)):
            asked = self.numbers(self.ask(self.lanes(*[Behaviour()] * 3), 0.0))
            self.assertEqual(asked, [first] if second is None else [first, second])

    def test_resting(self) -> None:
        """Mirrors that asked to be left alone are not asked, and when there are no others the file is not waited for."""
        lanes = self.lanes(Behaviour(resting=True), Behaviour())
        (asked,) = self.ask(lanes, 0.0)
        self.assertEqual((self.numbers([asked]), lanes.exhausted), ([1], False))
        self.end(asked)
        lanes.failed(asked, 0.0, gone=True)
        self.assertEqual((list(lanes.idle(100.0)), lanes.exhausted), ([], True))

    def test_unsound(self) -> None:
        """Mirrors that failed lately are asked where no other one is, one at a time."""
        lanes = self.lanes(Behaviour(sound=False), Behaviour(), Behaviour(sound=False))
        (asked,) = self.ask(lanes, 0.0)
        self.assertEqual(self.numbers([asked]), [1])
        self.end(asked)
        lanes.failed(asked, 0.0, gone=True)
        self.assertEqual(self.numbers(self.ask(lanes, 0.0)), [0])

    def test_others_use_it(self) -> None:
        """A mirror that gives another file is asked only where the file has no other, and then the one with the least to do."""
        lanes = self.lanes(*[Behaviour()] * 3)
        for number, flows in enumerate((2, 1, 2)):
            for _ in range(flows):
                self.lines.begin(SimulatedMirror(Clock(), number, Behaviour()))
        self.assertEqual(self.numbers(self.ask(lanes, 0.0)), [1])
        self.lines.end(SimulatedMirror(Clock(), 2, Behaviour()))
        self.assertEqual(self.ask(lanes, 0.0), [])
        self.lines.end(SimulatedMirror(Clock(), 2, Behaviour()))
        self.assertEqual(self.numbers(self.ask(lanes, 0.0)), [2])

    def test_others_behind(self) -> None:
        """Where no mirror is asked all that can be are offered, since those in front may have nothing that is wanted of them."""
        self.assertEqual(self.numbers(self.lanes(Behaviour(sound=False), *[Behaviour()] * 4).idle(0.0)), [1, 2, 3, 0, 4])


class FailureTests(LanesCase):
    def test_rest(self) -> None:
        """A mirror that failed rests, twice as long the second time, and is gone after the third."""
        lanes = self.lanes(Behaviour())
        now = 0.0
        for rest in (FIRST_REST, 2 * FIRST_REST):
            (lane,) = self.ask(lanes, now)
            self.end(lane)
            lanes.failed(lane, now)
            self.assertEqual((list(lanes.idle(now + rest - 0.1)), lanes.exhausted), ([], False))
            now += rest
        (lane,) = self.ask(lanes, now)
        self.assertFalse(lanes.exhausted)
        self.end(lane)
        lanes.failed(lane, now)
        self.assertEqual((list(lanes.idle(1e6)), lanes.exhausted), ([], True))

    def test_overtaken(self) -> None:
        """A mirror that is only slower rests for a moment, however often."""
        lanes = self.lanes(Behaviour())
        for now in range(0, 60, 3):
            (lane,) = self.ask(lanes, now)
            self.end(lane)
            lanes.overtaken(lane, now)
            self.assertEqual((list(lanes.idle(now)), lanes.exhausted), ([], False))

    def test_exhausted_not_while_one_gives(self) -> None:
        """As long as a mirror gives its part there is something to wait for."""
        lanes = self.lanes(Behaviour(), Behaviour())
        one, other = self.ask(lanes, 0.0)
        lanes.failed(one, 0.0, gone=True)
        lanes.failed(other, 0.0, gone=True)
        self.end(one)
        self.assertFalse(lanes.exhausted)
        self.end(other)
        self.assertTrue(lanes.exhausted)

    def test_silent(self) -> None:
        """Mirrors are left when all of them are silent and another may be asked, which gave bytes or did not fail."""
        lanes = self.lanes(*[Behaviour()] * 4)
        asked = self.ask(lanes, 0.0)
        self.assertEqual((lanes.silent(2.0, 1.9), lanes.silent(2.0, 2.0)), ((), asked))
        self.division.arrived(asked[0], 10, 1.0)
        self.assertEqual(lanes.silent(2.0, 2.0), ())
        (other,) = (lane for lane in lanes._lanes if lane not in asked)
        lanes.failed(other, 0.0)
        self.assertEqual(lanes.silent(2.0, 9.0), ())
        other.given = 1
        self.assertEqual(lanes.silent(2.0, 9.0), asked)


class WorthTests(LanesCase):
    def flow(self, lanes: Lanes, rates: dict[int, float], seconds: float, began: float) -> float:
        """Has mirrors give bytes with these rates; returns when that is over."""
        steps = int(seconds * 10)
        for step in range(steps):
            now = began + (step + 1) / 10
            lanes.judge(MUCH, now)
            for lane in lanes.busy:
                rate = rates[self.numbers([lane])[0]]
                lane.rate = rate
                lane.parts += 1
                assert lane.part is not None
                self.division.arrived(lane, min(int(rate / 10), lane.part.end - lane.position), now)
                if lane.part.whole:
                    self.end(lane)
            for lane in self.ask(lanes, now):
                lane.answered(now)
        return began + steps / 10

    def used(self, lanes: Lanes, now: float = 5.0) -> list[int]:
        """The mirrors that are not left."""
        return self.numbers([lane for lane, standing in lanes._lanes.items() if not (standing.left_until > now or standing.paused or standing.gone)])

    def test_far_slower(self) -> None:
        """A mirror that gives less than a fifth of the others together is left, and its place taken; one that is near is not."""
        lanes = self.lanes(*[Behaviour()] * 4)
        self.flow(lanes, {0: 10e6, 1: 10e6, 2: 1e6, 3: 10e6}, 1.0, 0.0)
        self.assertEqual((self.used(lanes), sorted(self.numbers(lanes.busy))), ([0, 1, 3], [0, 1, 3]))
        self.lines = Lines(3, SIZES)
        self.division = Division([(0, MUCH)], SIZES)
        lanes = self.lanes(Behaviour(near=True), Behaviour(), Behaviour())
        self.flow(lanes, {0: 1e6, 1: 10e6, 2: 10e6}, 1.0, 0.0)
        self.assertEqual(self.used(lanes), [0, 1, 2])

    def test_too_early_to_tell(self) -> None:
        """A mirror that gave little yet is not judged."""
        lanes = self.lanes(Behaviour(), Behaviour())
        one, other = self.ask(lanes, 0.0)
        one.rate, other.rate, one.parts = 10e6, 1e3, MEASURED_PARTS
        lanes.judge(MUCH, 0.1)
        self.assertEqual(self.used(lanes), [0, 1])

    def test_left_mirror_is_better_than_none(self) -> None:
        """A mirror that was left is asked again when all others are gone."""
        lanes = self.lanes(Behaviour(), Behaviour())
        self.flow(lanes, {0: 10e6, 1: 1e6}, 1.0, 0.0)
        self.assertEqual(self.used(lanes), [0])
        for lane in lanes.busy:
            self.end(lane)
        lanes.failed(next(lane for lane in lanes._lanes if self.numbers([lane]) == [0]), 1.0, gone=True)
        self.assertEqual(self.numbers(self.ask(lanes, 1.0)), [1])

    def test_shared_line(self) -> None:
        """Where all mirrors share a line the last ones are left, and later files are not asked of so many."""
        lanes = self.lanes(*[Behaviour()] * 3)
        now = 0.0
        while now < 60:
            now = self.flow(lanes, dict.fromkeys(range(3), 10e6 / max(1, len(lanes.busy))), 0.5, now)
        self.assertLess(len(self.used(lanes)), 3)
        self.assertEqual(self.lines.width(now), len(self.used(lanes)))

    def test_lines_of_their_own(self) -> None:
        """Where each mirror has a line of its own none is left, and the trial is made once."""
        lanes = self.lanes(*[Behaviour()] * 3)
        trials = 0
        now = 0.0
        while now < 60:
            before = len(self.used(lanes))
            now = self.flow(lanes, dict.fromkeys(range(3), 10e6), 0.5, now)
            trials += len(self.used(lanes)) < before
        self.assertEqual((len(self.used(lanes)), self.lines.width(now), trials), (3, 3, 1))

    def test_no_trial_among_other_downloads(self) -> None:
        """What the mirrors give to other downloads would be taken for what they can't give: nothing is left, and a trial that runs is given up."""
        lanes = self.lanes(*[Behaviour()] * 3)
        now = 0.0
        while len(self.used(lanes)) == 3 and now < 20:
            now = self.flow(lanes, dict.fromkeys(range(3), 3e6), 0.1, now)
        self.assertEqual(len(self.used(lanes)), 2)
        self.lines.begin(SimulatedMirror(Clock(), 9, Behaviour()))
        now = self.flow(lanes, dict.fromkeys(range(3), 6e6), 30.0, now)
        self.assertEqual((len(self.used(lanes)), self.lines.width(now)), (3, 3))

    def test_no_trial_for_the_last_seconds(self) -> None:
        """A download that is nearly over is not made slower by a trial."""
        lanes = self.lanes(*[Behaviour()] * 3)
        for number in range(1, 4):
            for lane in self.ask(lanes, 0.0) or lanes.busy:
                lane.given += 10_000_000
            lanes.judge(1000, number * TRIAL_TIME)
        self.assertEqual(self.used(lanes), [0, 1, 2])

    @given(
        st.lists(
            st.tuples(st.sampled_from(["ask", "give", "fail", "overtaken", "end", "later", "judge"]), st.integers(0, 4), st.integers(1, 1 << 22)),
            max_size=80,
        ),
        st.lists(
            st.builds(Behaviour, near=st.booleans(), sound=st.booleans(), resting=st.booleans(), speed=st.sampled_from([None, 1e3, 1e7])),
            min_size=2,
            max_size=5,
        ),
    )
    def test_random_events(self, events: list[tuple[str, int, int]], behaviours: list[Behaviour]) -> None:
        """Whatever mirrors do, no more than wanted are asked, none that rests or is gone; and one can be asked until the file is given up."""
        self.setUp()
        lanes = self.lanes(*behaviours)
        every = list(lanes._lanes)
        now = 0.0
        for event, number, count in events:
            lane = every[number % len(every)]
            if event == "later":
                now += count / (1 << 20)
            elif event == "judge":
                lanes.judge(count, now)
            elif event == "ask":
                for asked in self.ask(lanes, now):
                    self.assertFalse(asked.upstream.resting or lanes._lanes[asked].gone)
                    asked.answered(now)
                self.assertLessEqual(len(lanes.busy), 3)
            elif lane.part is not None:
                if event == "give":
                    self.division.arrived(lane, min(count, lane.part.end - lane.position), now)
                if event != "give" or lane.part.whole:
                    lane.judged(now)
                    self.end(lane)
                if event == "fail":
                    lanes.failed(lane, now)
                elif event == "overtaken":
                    lanes.overtaken(lane, now)
            if not lanes.busy and not lanes.exhausted:
                self.assertTrue(lanes.idle(now + 100))
