"""Tests for `pacserve.transfer.division`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from pacserve.transfer.division import PART_ROUND_TRIPS, SILENCE, Division, Lane, Part, PartPace, Sizes
from pacserve.transfer.givers import Givers
from pacserve.transfer.spans import Spans
from tests.unit.transfer.simulator import Behaviour, SimulatedMirror

SIZES = Sizes(file=100, first=100, least=50, most=400, alone=800, window=1000)
SIZE = 3000


def lane(rate: float | None = None, number: int = 0) -> Lane:
    """A mirror that has nothing to do."""
    return Lane(SimulatedMirror(Clock(), number, Behaviour()), rate)


def given_all(division: Division, one: Lane, now: float) -> None:
    """The mirror gives all of its part, and no more."""
    assert one.part is not None
    one.answered(now)
    division.arrived(one, one.part.end - one.position, now)
    division.ended(one)


@dataclass
class Fetching:
    """
    A file that mirrors give at random.

    Attributes:
        here: The bytes that came.
        came: How often each of them came.
        now: The time.
    """

    division: Division
    here: Spans
    lanes: list[Lane] = field(default_factory=lambda: [lane(number=number) for number in range(4)])
    came: dict[int, int] = field(default_factory=dict)
    now: float = 0.0

    @property
    def front(self) -> int:
        return self.here.end_of(0)

    def step(self, event: str, number: int, count: int) -> None:
        """Has something happen to a mirror, if it can."""
        one = self.lanes[number]
        if event == "later":
            self.now += count / 50
        elif event == "ask" and one.part is None:
            self.ask(one)
        elif event == "answer" and one.part is not None and one.pace is None:
            one.answered(self.now)
        elif event == "give" and one.part is not None:
            self.give(one, count)
        elif event == "fail" and one.part is not None:
            self.end(one)

    def ask(self, one: Lane) -> Part | None:
        part = self.division.next(one, self.front, self.now, [other for other in self.lanes if other.part is not None])
        if part is not None:
            assert one.part is part
            assert one.position == part.have < part.end
            assert part.end <= self.front + SIZES.window
            assert 1 <= len(part.lanes) <= 2
            assert one in part.lanes
        return part

    def give(self, one: Lane, count: int) -> None:
        part = one.part
        assert part is not None
        first = one.position
        end = min(first + count, part.end)
        known = self.division.arrived(one, end - first, self.now)
        assert known == sum(byte in self.came for byte in range(first, end))
        for byte in range(first, end):
            self.came[byte] = self.came.get(byte, 0) + 1
        self.here.add(first, end)
        if part.whole:
            for other in list(part.lanes):
                self.end(other)

    def end(self, one: Lane) -> None:
        one.judged(self.now)
        one.pace = None
        self.division.ended(one)

    def check(self) -> None:
        """Checks what holds at every moment."""
        parts = list(self.division)
        assert self.division.left == SIZE - self.here.size
        assert all(before.end <= behind.first for before, behind in itertools.pairwise(parts))
        assert all(part.first <= part.have < part.end for part in parts)
        busy = [one.part for one in self.lanes if one.part is not None]
        assert all(part in parts for part in busy)
        assert all(len(part.lanes) <= 2 for part in parts)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["ask", "ask", "answer", "give", "give", "fail", "later"]), st.integers(0, 3), st.integers(1, 500)), max_size=60
)


@given(EVENTS, st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), max_size=3))
def test_random_events(events: list[tuple[str, int, int]], ahead: list[tuple[int, int]]) -> None:
    """Whatever mirrors do, parts never overlap, no byte is asked of three at once or from beyond the window, and all come in the end."""
    here = Spans(ahead)
    fetching = Fetching(Division(here.missing(0, SIZE), SIZES), here)
    for event in events:
        fetching.step(*event)
        fetching.check()
    for one in fetching.lanes:
        if one.part is not None:
            fetching.end(one)
    while fetching.division.left:
        assert fetching.ask(fetching.lanes[0]) is not None, "a byte is missing that nobody is asked for"
        fetching.give(fetching.lanes[0], SIZE)
        fetching.check()
    assert list(here) == [(0, SIZE)]


def test_first_part_is_short() -> None:
    """A mirror of which nothing is known is asked for little, in the order of the file."""
    division = Division([(0, SIZE)], SIZES)
    one, other = lane(), lane(number=1)
    assert (division.next(one, 0, 0.0), division.next(other, 0, 0.0, [one])) == (one.part, other.part)
    assert [(part.first, part.end) for part in division] == [(0, 100), (100, 200)]


@pytest.mark.parametrize(
    ("rate", "delay", "busy", "length"),
    [(200.0, 0.0, True, 200), (10.0, 0.0, True, 50), (1e9, 0.0, True, 400), (1e9, 0.0, False, 800), (6.0, 1.0, True, 6 * PART_ROUND_TRIPS)],
)
def test_length_follows_the_rate(rate: float, delay: float, busy: bool, length: int) -> None:
    """A part takes a second, or some round-trip times, within limits; one that is alone is asked for more at once."""
    one = lane(rate)
    one.delay = delay
    part = Division([(0, 100_000)], SIZES).next(one, 0, 0.0, [lane(rate, 1)] if busy else [])
    assert part is not None
    assert part.end - part.first == length


def test_all_end_at_the_same_moment() -> None:
    """Of the last bytes a mirror is asked for as much as it gives of all."""
    one, other = lane(300.0), lane(100.0, 1)
    part = Division([(0, 280)], SIZES).next(one, 0, 0.0, [other])
    assert part is not None
    assert part.end == 210


def test_last_parts_beside_unknown() -> None:
    """The first mirror whose rate is known leaves those of which nothing is known as much of the rest."""
    one = lane(300.0)
    part = Division([(0, 300)], SIZES).next(one, 0, 0.0, [lane(number=1), lane(number=2)])
    assert part is not None
    assert part.end == 100


def test_window() -> None:
    """Nothing is asked for that is far ahead of the first byte that is missing."""
    division = Division([(0, 100), (1000, SIZE)], SIZES)
    one, other = lane(), lane(number=1)
    assert division.next(one, 0, 0.0) is not None
    assert division.next(other, 0, 0.0, [one]) is None
    given_all(division, one, 0.1)
    part = division.next(other, 1000, 0.1)
    assert part is not None
    assert part.first == 1000


def test_end_of_the_window() -> None:
    """The last part that begins in the window ends with it, and none begins that would be too small there."""
    division = Division([(0, 10 * SIZES.window)], SIZES)
    lanes = [lane(400.0, number) for number in range(4)]
    ends = []
    for number, one in enumerate(lanes):
        part = division.next(one, 0, 0.0, lanes[:number])
        ends.append(None if part is None else (part.first, part.end))
    assert ends == [(0, 400), (400, 800), (800, 1000), None]
    part = division.next(lanes[3], SIZES.least - 1, 0.0, lanes[:3])
    assert part is None
    part = division.next(lanes[3], SIZES.least, 0.0, lanes[:3])
    assert part is not None
    assert (part.first, part.end) == (1000, 1000 + SIZES.least)


def test_what_nobody_gives_is_asked_first() -> None:
    """The rest of a part whose mirror failed is the next that is asked for, and only the rest."""
    division = Division([(0, SIZE)], SIZES)
    one, other = lane(), lane(number=1)
    division.next(one, 0, 0.0)
    assert division.arrived(one, 30, 0.1) == 0
    division.ended(one)
    division.next(other, 30, 0.1)
    assert (other.position, other.part and other.part.end, division.left) == (30, 100, SIZE - 30)


def test_first_part_is_silent() -> None:
    """An idle mirror is asked for the first part where nothing comes of it, but for no other one, and no third mirror is."""
    division = Division([(0, SIZE)], SIZES)
    lanes = [lane(number=number) for number in range(4)]
    for one in lanes[:2]:
        division.next(one, 0, 0.0)
    first, second = lanes[0].part, lanes[1].part
    assert division.next(lanes[2], 0, SILENCE / 2, lanes[:2]) not in (first, second)
    given_all(division, lanes[2], SILENCE / 2)
    assert division.next(lanes[2], 0, SILENCE, lanes[:2]) is first
    assert division.next(lanes[3], 0, 10 * SILENCE, lanes[:3]) not in (first, second)


def test_far_mirror_is_not_silent() -> None:
    """A mirror that answers late is given twice as long as its last answer took."""
    division = Division([(0, SIZE)], SIZES)
    far, other = lane(), lane(number=1)
    far.delay = 1.0
    division.next(far, 0, 0.0)
    part = division.next(other, 0, 1.9, [far])
    assert part is not far.part
    given_all(division, other, 1.9)
    assert division.next(other, 0, 2.0, [far]) is far.part


def test_held_back_by_a_limit() -> None:
    """A mirror that is not read because of a limit is not silent."""
    division = Division([(0, SIZE)], SIZES)
    one, other = lane(), lane(number=1)
    division.next(one, 0, 0.0)
    one.answered(0.0)
    division.arrived(one, 10, 0.0)
    one.held_back(5.0)
    assert division.next(other, 10, 5.0, [one]) is not one.part
    assert one.pace is not None
    assert one.pace.waited == 5.0


def _two(come: int, rate: float) -> tuple[Division, Lane, Lane]:
    """The whole of a file is asked of a mirror that gave so many bytes in 10 s, and of another one nothing."""
    division = Division([(0, 400)], SIZES)
    slow, fast = lane(400.0), lane(rate, 1)
    division.next(slow, 0, 0.0)
    slow.answered(0.0)
    for second in range(10):
        division.arrived(slow, come // 10, float(second + 1))
    return division, slow, fast


def test_held_up_by_a_slow_mirror() -> None:
    """The end of what a slow mirror gives is asked of a fast one, so that both end at the same moment, where that is worth it."""
    division, slow, fast = _two(100, 1000.0)
    part = division.next(fast, 100, 10.0, [slow])
    assert part is not None
    assert slow.part is not None
    assert (part.end, slow.part.end) == (400, part.first)
    assert 0 < slow.part.end - 100 < 5
    division, slow, fast = _two(390, 1000.0)
    assert division.next(fast, 390, 10.0, [slow]) is None


def test_few_bytes_of_a_very_slow_mirror() -> None:
    """Fewer bytes than a part has at least are asked of another mirror where they would come seconds later."""
    division, slow, fast = _two(360, 1000.0)
    assert division.next(fast, 360, 20.0, [slow]) is not None


def test_rate_of_a_part_that_was_begun_by_another_mirror() -> None:
    """The bytes that another mirror gave before are not taken for those of the one that goes on."""
    division = Division([(0, 400)], SIZES)
    first, slow, fast = lane(400.0), lane(10.0, 1), lane(100.0, 2)
    division.next(first, 0, 0.0)
    first.answered(0.0)
    division.arrived(first, 200, 0.5)
    division.ended(first)
    division.next(slow, 200, 0.5)
    slow.answered(0.5)
    division.arrived(slow, 10, 1.5)
    part = division.next(fast, 210, 1.5, [slow])
    assert part is not None
    assert part.first == 400 - 172


@pytest.mark.parametrize(
    ("come", "answered", "known", "rate", "delay", "size"),
    [
        ((200, 0.5), 0.0, 400.0, 400.0, 0.0, 0),  # a quarter of a second would be gained
        ((200, 0.5), 0.0, 400.0, 1200.0, 0.0, 150),
        ((350, 7.0), 0.0, 400.0, 50.0, 0.0, 0),  # few bytes, and half a second
        ((350, 35.0), 0.0, 400.0, 50.0, 0.0, 41),
        ((10, 0.2), 0.0, 400.0, 1000.0, 0.0, 0),  # too early to tell
        ((10, 0.4), 0.0, 400.0, 1000.0, 0.0, 380),
        ((10, 0.7), 0.5, 400.0, 1000.0, 0.0, 0),
        ((10, 0.9), 0.5, 400.0, 1000.0, 0.0, 385),
        ((100, 10.0), 0.0, 400.0, 1000.0, 20.0, 99),  # the other mirror gives 200 bytes until this one answers
        ((100, 10.0), 0.0, 400.0, None, 0.0, 292),
        ((100, 10.0), 0.0, None, None, 0.0, 299),
    ],
)
def test_size_of_the_end_that_is_asked_of_another_mirror(
    come: tuple[int, float], answered: float, known: float | None, rate: float | None, delay: float, size: int
) -> None:
    """It follows what both mirrors give, as far as that is known; where it can't be told yet, or too little is gained, there is none."""
    (count, seconds), division = come, Division([(0, 400)], SIZES)
    slow, other = lane(400.0), lane(rate, 1)
    division.next(slow, 0, 0.0)
    slow.answered(answered)
    slow.rate, other.delay = known, delay
    division.arrived(slow, count, seconds)
    part = division.next(other, count, seconds, [slow])
    assert (0 if part is None else part.end - part.first) == size


@pytest.mark.parametrize(("later", "come", "parts"), [(False, (95, 10), [0, 100, 111]), (True, (95, 10), None), (True, (10, 95), [0, 11, 100])])
def test_part_whose_end_is_asked_of_another_mirror(later: bool, come: tuple[int, int], parts: list[int] | None) -> None:
    """It is any one where nothing else will be to be asked for, and only the first one where there will be, once readers are further."""
    division = Division([(0, 200), *([(5000, 5100)] if later else [])], SIZES)
    lanes, other = [lane(), lane(number=1)], lane(1000.0, 2)
    for one, count in zip(lanes, come, strict=True):
        division.next(one, 0, 0.0)
        one.answered(0.0)
        division.arrived(one, count, 10.0)
    shared = division.next(other, come[0], 10.0, lanes) is not None
    assert ([part.first for part in division] if shared else None) == parts


def test_part_that_is_asked_again() -> None:
    """A wrong part comes next, as a whole, and of one mirror at a time, however slow that is, so that it is known which one gives it."""
    division = Division([(200, 300)], SIZES)
    one, other = lane(1000.0), lane(1000.0, 1)
    division.next(other, 0, 0.0)
    division.ask_again(0, 150)
    part = division.next(one, 0, 0.0, [other])
    assert [there.first for there in division] == [0, 200]
    assert part is not None
    assert (part.first, part.end) == (0, 150)
    one.answered(0.0)
    given_all(division, other, 0.1)
    division.arrived(one, 1, 100.0)
    assert division.next(other, 1, 200.0, [one]) is None
    division.ended(one)
    assert division.next(other, 1, 200.0) is part


def test_second_gives_the_same_bytes() -> None:
    """Bytes that two mirrors give count once, for the one that gave them first."""
    division = Division([(0, 100)], SIZES)
    slow, fast = lane(), lane(number=1)
    division.next(slow, 0, 0.0)
    assert division.next(fast, 0, SILENCE, [slow]) is slow.part
    assert division.arrived(fast, 50, 1.0) == 0
    assert division.arrived(slow, 20, 1.1) == 20
    assert division.arrived(slow, 50, 1.2) == 30
    assert (fast.given, slow.given, division.left) == (50, 20, 30)
    assert division.arrived(fast, 50, 1.3) == 20
    assert (division.left, list(division)) == (0, [])
    assert division.arrived(slow, 30, 1.4) == 30


def test_not_what_it_gave_before() -> None:
    """In a second pass no mirror is asked for what it gave in the first, neither anew, nor in the place of another one, nor beside it."""
    one, other = lane(), lane(number=1)
    before = Givers()
    before.add(0, 200, one.upstream)
    before.add(200, 300, other.upstream)
    division = Division([(0, 300)], SIZES, before)
    part = division.next(one, 0, 0.0)
    assert part is not None
    assert part.first == 200
    assert division.next(other, 0, 0.0, [one]) is not None
    division.ended(other)
    given_all(division, one, 0.1)
    assert division.next(one, 0, 0.1) is None
    assert division.next(other, 0, 0.1) is not None
    assert division.next(one, 0, 9.0, [other]) is None


def test_given_back() -> None:
    """Bytes that were wrong are asked for again, before those that come behind them."""
    division = Division([(0, 50), (60, 80)], SIZES)
    one, other = lane(), lane(number=1)
    division.next(one, 0, 0.0)
    division.next(other, 0, 0.0, [one])
    given_all(division, one, 0.1)
    division.give_back(10, 40)
    division.next(one, 10, 0.2)
    assert [(part.first, part.end) for part in division] == [(10, 40), (60, 80)]
    assert division.left == 50


def test_bytes_of_a_mirror_that_was_asked_for_nothing() -> None:
    """They are of no use."""
    assert Division([(0, 50)], SIZES).arrived(lane(), 7, 0.0) == 7


def test_pace() -> None:
    """A part is judged by its second half once that has begun, and not where no time has passed."""
    pace = PartPace(0, 100, 0.0)
    assert pace.rate(0, 1.0) is None
    assert pace.rate(10, 0.0) is None
    assert pace.rate(20, 2.0) == 10
    pace.arrived(50, 5.0)
    assert pace.rate(50, 5.0) is None
    assert pace.rate(90, 6.0) == 40
    pace.arrived(95, 7.0)
    assert pace.rate(100, 7.0) == 25


def test_rate_is_remembered() -> None:
    """The rate of a mirror is the mean of what it was and what its part came with, or the latter where it is faster; no byte says nothing."""
    one = lane(100.0)
    assert (one.judged(1.0), one.rate) == (None, 100.0)
    Division([(0, SIZE)], SIZES).next(one, 0, 0.0)
    one.answered(0.0)
    one.position = 40
    assert (one.judged(2.0), one.rate) == (20.0, 60.0)
    one.position = 80
    assert (one.judged(0.5), one.rate) == (160.0, 160.0)
