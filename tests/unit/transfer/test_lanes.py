"""Tests for `pacserve.transfer.lanes`."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.transfer.division import Division, Lane, Sizes
from pacserve.transfer.lanes import FIRST_REST, MEASURED_PARTS, RATE_TIME, SLOW_TIME, TRIAL_ROUND_TRIPS, TRIAL_TIME, Lanes
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

    def test_no_more_than_wanted(self) -> None:
        """No more mirrors are offered than may be asked beside those that give parts, and none where these are too many by now."""
        lanes = self.lanes(*[Behaviour()] * 6)
        first = lanes.idle(0.0)[0]
        self.division.next(first, 0, 0.0)
        self.assertEqual(self.numbers(lanes.idle(0.0)), [1, 2])
        self.ask(lanes, 0.0)
        self.lines.learn_width(1, 0.0)
        self.assertEqual(list(lanes.idle(0.0)), [])

    def test_rate_of_earlier_downloads(self) -> None:
        """A mirror of which it is known how fast it was is asked for as much at once."""
        (asked,) = self.ask(self.lanes(Behaviour(speed=1e6)), 0.0)
        assert asked.part is not None
        self.assertEqual(asked.part.end, 1_000_000)

    def test_others_behind_by_load(self) -> None:
        """Of mirrors that failed lately the one with the least to do is asked first as well."""
        lanes = self.lanes(*[Behaviour(sound=False)] * 2)
        self.lines.begin(SimulatedMirror(Clock(), 0, Behaviour()))
        self.assertEqual(self.numbers(lanes.idle(0.0)), [1, 0])

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
        self.assertEqual([list(lanes.silent((), 2.0, now)) for now in (1.9, 2.0)], [[], list(asked)])
        self.division.arrived(asked[0], 10, 1.0)
        self.assertEqual(list(lanes.silent((), 2.0, 2.0)), [])
        (other,) = (lane for lane in lanes._lanes if lane not in asked)
        lanes.failed(other, 0.0)
        self.assertEqual(list(lanes.silent((), 2.0, 9.0)), [])
        other.given = 1
        self.assertEqual(lanes.silent((), 2.0, 9.0), asked)

    def test_first_is_silent(self) -> None:
        """A mirror that holds readers up is left while others give, if one may be asked in its place that has nothing to do and is well."""
        lanes = self.lanes(*[Behaviour()] * 4)
        asked = self.ask(lanes, 0.0)
        first = asked[:1]
        self.division.arrived(asked[1], 10, 1.9)
        self.assertEqual([list(lanes.silent(first, 2.0, now)) for now in (1.9, 2.0)], [[], list(first)])
        self.assertEqual(list(lanes.silent(asked[1:2], 2.0, 2.0)), [])
        (other,) = (lane for lane in lanes._lanes if lane not in asked)
        self.lines.begin(other.upstream)
        self.assertEqual(list(lanes.silent(first, 2.0, 2.0)), [])


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
        """A mirror that gives less than a fifth of the others together is left for a while, and its place taken; one that is near is not."""
        lanes = self.lanes(*[Behaviour()] * 4)
        self.flow(lanes, {0: 10e6, 1: 10e6, 2: 1e6, 3: 10e6}, 1.0, 0.0)
        self.assertEqual((self.used(lanes), sorted(self.numbers(lanes.busy))), ([0, 1, 3], [0, 1, 3]))
        self.assertEqual([self.used(lanes, now) for now in (SLOW_TIME, SLOW_TIME + 1.0)], [[0, 1, 3], [0, 1, 2, 3]])
        self.lines = Lines(3, SIZES)
        self.division = Division([(0, MUCH)], SIZES)
        lanes = self.lanes(Behaviour(near=True), Behaviour(), Behaviour())
        self.flow(lanes, {0: 1e6, 1: 10e6, 2: 10e6}, 1.0, 0.0)
        self.assertEqual(self.used(lanes), [0, 1, 2])

    def test_compared_with_those_that_stay(self) -> None:
        """A mirror that is left in the same moment does not count among the others."""
        lanes = self.lanes(*[Behaviour()] * 3)
        for lane, rate in zip(self.ask(lanes, 0.0), (10e6, 1.8e6, 2.1e6), strict=True):
            lane.rate, lane.parts = rate, MEASURED_PARTS
        lanes.judge(MUCH, 0.1)
        self.assertEqual(self.used(lanes), [0, 2])

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
        self.assertLess(len(self.used(lanes, now)), 3)
        self.assertEqual(self.lines.width(now), len(self.used(lanes, now)))

    def test_near_mirrors_of_a_shared_line(self) -> None:
        """No trial is made without a mirror on the LAN."""
        lanes = self.lanes(*[Behaviour(near=True)] * 3)
        now = 0.0
        while now < 20:
            now = self.flow(lanes, dict.fromkeys(range(3), 10e6 / max(1, len(lanes.busy))), 0.1, now)
            self.assertEqual(len(self.used(lanes)), 3)

    def test_taken_back(self) -> None:
        """A mirror that was left for nothing, as is seen when the others become slower, is asked again, and no further trial is made."""
        lanes = self.lanes(*[Behaviour()] * 3)
        now = 0.0
        while self.lines.width(now) == 3 and now < 20:
            now = self.flow(lanes, dict.fromkeys(range(3), 10e6 / max(1, len(lanes.busy))), 0.1, now)
        self.assertEqual(self.used(lanes), [0, 1])
        now = self.flow(lanes, dict.fromkeys(range(3), 3e6), 5.0, now)
        self.assertEqual((self.used(lanes), self.lines.width(now)), ([0, 1, 2], 3))
        while now < 60:
            now = self.flow(lanes, dict.fromkeys(range(3), 10e6 / max(1, len(lanes.busy))), 0.5, now)
            self.assertEqual(self.used(lanes), [0, 1, 2])

    def test_taken_back_when_each_makes_it_a_little_slower(self) -> None:
        """Two mirrors without each of which a sixth less comes are both asked again: what comes is compared with what came from all."""
        lanes = self.lanes(*[Behaviour()] * 3)
        now, of_all = 0.0, {3: 10e6, 2: 8.6e6, 1: 7.4e6}
        while self.lines.width(now) > 1 and now < 40:
            now = self.flow(lanes, dict.fromkeys(range(3), of_all[len(self.used(lanes))] / max(1, len(lanes.busy))), 0.1, now)
        self.assertEqual(self.used(lanes), [0])
        now = self.flow(lanes, {0: 7.4e6, 1: 3e6, 2: 3e6}, 3.0, now)
        self.assertEqual((self.used(lanes), self.lines.width(now)), ([0, 1, 2], 3))

    def trial(self, lanes: Lanes) -> float:
        """Has three mirrors give 3 MB in a second each, until one is tried to be done without; returns when that begins."""
        now = 0.0
        while len(self.used(lanes)) == 3 and now < 20:
            now = self.flow(lanes, dict.fromkeys(range(3), 3e6), 0.1, now)
        self.assertEqual((self.used(lanes), self.numbers(lanes.busy)), ([0, 1], [0, 1, 2]))
        return now

    def test_trial_begins_when_the_part_has_ended(self) -> None:
        """A mirror that is tried to be done without gives its last part to the end, and only then it is seen how fast the others are."""
        lanes = self.lanes(*[Behaviour()] * 3)
        now = self.flow(lanes, {0: 3e6, 1: 3e6, 2: 0.0}, 5.0, self.trial(lanes))
        self.assertEqual(self.used(lanes), [0, 1])
        lanes.busy[2].rate = 3e6
        self.end(lanes.busy[2])
        self.flow(lanes, dict.fromkeys(range(3), 3e6), TRIAL_TIME + 0.5, now)
        self.assertEqual(self.used(lanes), [0, 1, 2])

    def test_others_are_faster_for_a_moment(self) -> None:
        """Others that are as fast for half a second only, as they are when they empty what waits on the line, are not enough."""
        lanes = self.lanes(*[Behaviour()] * 3)
        now = self.trial(lanes)
        self.end(lanes.busy[2])
        now = self.flow(lanes, dict.fromkeys(range(3), 7.7e6), TRIAL_TIME + 0.1, now)
        self.assertEqual(self.lines.width(now), 3)
        now = self.flow(lanes, dict.fromkeys(range(3), 0.9e6), RATE_TIME, now)
        self.assertEqual((self.used(lanes), self.lines.width(now)), ([0, 1, 2], 3))

    def test_no_trial_before_far_mirrors_have_answered_often(self) -> None:
        """Where mirrors are far the rate is measured for longer before a trial."""
        lanes = self.lanes(*[Behaviour()] * 4)
        list(lanes._lanes)[3].delay = 1.0
        self.flow(lanes, dict.fromkeys(range(3), 3e6), 2.0 * TRIAL_ROUND_TRIPS - 0.5, 0.0)
        self.assertEqual(self.used(lanes), [0, 1, 2, 3])

    def test_measured_anew_after_other_downloads(self) -> None:
        """What came while there were other downloads does not count as the rate that is steady."""
        lanes = self.lanes(*[Behaviour()] * 3)
        other = SimulatedMirror(Clock(), 9, Behaviour())
        self.lines.begin(other)
        now = self.flow(lanes, dict.fromkeys(range(3), 10e6), 10.0, 0.0)
        self.lines.end(other)
        now = self.flow(lanes, dict.fromkeys(range(3), 10e6), 2 * RATE_TIME - 0.5, now)
        self.assertEqual(len(self.used(lanes)), 3)
        self.flow(lanes, dict.fromkeys(range(3), 10e6), 1.0, now)
        self.assertEqual(len(self.used(lanes)), 2)

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
