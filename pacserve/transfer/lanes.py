"""The mirrors that one file is taken from at once: which of them are asked, and which are left.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pacserve.sources.upstreams import Upstream
from pacserve.transfer.division import Lane
from pacserve.transfer.lines import Lines

# Failures after which a mirror is asked no more for this file, and seconds that it rests after the first of them; twice as long after the second.
FAILURES_LIMIT = 3
FIRST_REST = 2.0
# The part by which the bytes per second of all must become more for a mirror to be worth asking.
LEAST_GAIN = 0.2
# Bytes of a mirror from which on it is known how fast it is, and parts from which on it is far slower than others for certain: connections begin
# slowly, the more so the farther a mirror is.
MEASURED_BYTES = 256 << 10
MEASURED_PARTS = 3
# Seconds after which a mirror that was far slower than the others is tried again.
SLOW_TIME = 15.0
# Seconds over which the rate of all is measured, those for which one mirror is asked for nothing, and the latter in round-trip times.
RATE_TIME = 1.5
TRIAL_TIME = 0.5
TRIAL_ROUND_TRIPS = 10
# The part by which the rate may change from one time to the next to be steady: what becomes faster by itself looks like a line that is shared.
STEADY = 0.1
# How many times the duration of a trial a download must still take for the trial to be worth it.
TRIAL_WORTH = 20


@dataclass(slots=True)
class Standing:
    """
    How well a mirror does for this file.

    Attributes:
        rests_until: When it may be asked again.
        gone: It is asked no more for this file.
        left_until: Until then it is asked only where no other one can be: it brought too little.
        paused: It gets no new part, so that it is seen how fast the others are without it.
    """

    failures: int = 0
    rests_until: float = 0.0
    gone: bool = False
    left_until: float = 0.0
    paused: bool = False


@dataclass(slots=True)
class _Trial:
    """
    The trial whether the others are as fast without one mirror.

    Attributes:
        rate: Bytes per second of all with it.
        others: How many others there were.
        began: When its last part had ended; None before that.
        given: The bytes that all had given then.
    """

    lane: Lane
    rate: float
    others: int
    began: float | None = None
    given: int = 0


class Lanes:
    """
    Chooses the mirrors that are asked for parts of one file.

    Args:
        upstreams: The mirrors, best first.
        lines: Knows what they do for other downloads.
    """

    def __init__(self, upstreams: Sequence[Upstream], lines: Lines, now: float) -> None:
        self._lanes = {Lane(upstream, upstream.rate): Standing() for upstream in upstreams}
        self._lines = lines
        self._since, self._given_then = now, 0
        # Bytes per second of all over the last time that was measured.
        self._rate: float | None = None
        self._trial: _Trial | None = None
        self._settled = False
        # The rate of all before the first one was left after a trial.
        self._worth: float | None = None

    @property
    def busy(self) -> Sequence[Lane]:
        """The mirrors that were asked and give a part."""
        return [lane for lane in self._lanes if lane.part is not None]

    @property
    def exhausted(self) -> bool:
        """True if no mirror is asked, nor can be for this file, or for as long as it has asked to be left alone."""
        return not self.busy and all(standing.gone or lane.upstream.resting for lane, standing in self._lanes.items())

    @property
    def given(self) -> int:
        """The bytes that all mirrors gave."""
        return sum(lane.given for lane in self._lanes)

    def idle(self, now: float) -> Sequence[Lane]:
        """Returns the mirrors that may be asked for a part now, the one that should be asked first in front."""
        busy = self.busy
        room = self._lines.width(now) - len(busy)
        if room <= 0:
            return ()
        able = [(lane, standing) for lane, standing in self._lanes.items() if self._may_be_asked(lane, standing, now)]
        preferred = [lane for lane, standing in able if standing.left_until <= now and not standing.paused and lane.upstream.sound]
        if busy:
            # A mirror gives one part of a file at a time, and none where it gives another file: that one has no other mirror.
            return [lane for lane in preferred if self._lines.is_idle(lane.upstream)][:room]
        chosen = preferred[: self._lines.at_once]
        # The others, should there be nothing that these can be asked for.
        return [*self._by_load(chosen), *self._by_load([lane for lane, _ in able if lane not in chosen])]

    def _by_load(self, lanes: Sequence[Lane]) -> Sequence[Lane]:
        order = self._lines.by_load([lane.upstream for lane in lanes])
        return sorted(lanes, key=lambda lane: order.index(lane.upstream))

    def silent(self, first: Sequence[Lane], patience: float, now: float) -> Sequence[Lane]:
        """
        Returns mirrors that give nothing, where others are there that may: all that are asked, or those that hold readers up while the rest give.

        Args:
            first: Those that were asked for the bytes which readers wait for.
            patience: Seconds without a byte that are borne.
        """
        busy = self.busy
        giving = [lane for lane in busy if now - lane.heard_at < patience]
        # One that never gave a byte is no better than those that are silent.
        others = [lane for lane, one in self._lanes.items() if self._may_be_asked(lane, one, now) and (lane.given or not one.failures)]
        if not giving:
            return busy if others else ()
        if any(lane.upstream.sound and self._lines.is_idle(lane.upstream) for lane in others):
            return [lane for lane in first if lane not in giving]
        return ()

    def overtaken(self, lane: Lane, now: float) -> None:
        """Takes note that another mirror had the rest of a part sooner: what is asked next is better asked of others."""
        self._lanes[lane].rests_until = now + FIRST_REST

    def failed(self, lane: Lane, now: float, *, gone: bool = False) -> None:
        """
        Takes note that a mirror did not give its part.

        Args:
            gone: True if it is of no use for this file.
        """
        standing = self._lanes[lane]
        standing.failures += 1
        standing.rests_until = now + FIRST_REST * 2 ** (standing.failures - 1)
        standing.gone = gone or standing.failures >= FAILURES_LIMIT

    def judge(self, left: int, now: float) -> None:
        """
        Leaves the mirrors that are not worth asking: those that are far slower than the others, and those without which nothing becomes slower.

        Args:
            left: The bytes that are still missing.
        """
        used = [lane for lane, standing in self._lanes.items() if not (standing.gone or standing.left_until > now or standing.paused)]
        known = {lane: lane.rate for lane in used if lane.rate is not None and lane.parts >= MEASURED_PARTS}
        for lane, rate in known.items():
            others = sum(other_rate for other, other_rate in known.items() if other is not lane and self._lanes[other].left_until <= now)
            if rate < LEAST_GAIN * others and not lane.upstream.near:
                self._lanes[lane].left_until = now + SLOW_TIME
        self._try_without(left, now)

    def _may_be_asked(self, lane: Lane, standing: Standing, now: float) -> bool:
        return lane.part is None and not standing.gone and standing.rests_until <= now and not lane.upstream.resting

    def _try_without(self, left: int, now: float) -> None:
        """Finds out whether the last mirror brings anything, as it does not where all of them share one line that is full."""
        term = max(TRIAL_TIME, TRIAL_ROUND_TRIPS * max((lane.delay for lane in self._lanes), default=0.0))
        if self._lines.are_shared(len(self.busy)):
            # The bytes that this download does without may go to another one: nothing can be told.
            if self._trial is not None:
                self._lanes[self._trial.lane].paused = False
                self._trial = None
            self._rate, self._since, self._given_then = None, now, self.given
            return
        if self._trial is not None:
            self._go_on(self._trial, term, now)
            return
        passed = now - self._since
        if self._settled or passed < max(RATE_TIME, term):
            return
        rate, before = (self.given - self._given_then) / passed, self._rate
        if self._worth is not None and rate < self._worth / (1 + LEAST_GAIN):
            self._take_back()
        busy = [lane for lane in self.busy if self._lanes[lane].left_until <= now and not lane.upstream.near]
        steady = before is not None and abs(rate - before) <= STEADY * before
        if steady and rate > 0 and len(self.busy) > 1 and busy and left > rate * term * TRIAL_WORTH:
            self._trial = _Trial(busy[-1], rate, len(self.busy) - 1)
            self._lanes[busy[-1]].paused = True
        self._measure(rate, now)

    def _go_on(self, trial: _Trial, term: float, now: float) -> None:
        """Ends a trial as soon as the others are seen to be slower; the mirror is left where they are not for longer."""
        if trial.lane.part is not None:
            return
        if trial.began is None:
            trial.began, trial.given = now, self.given
            return
        passed = now - trial.began
        if passed < term:
            return
        rate = (self.given - trial.given) / passed
        compensated = rate * (1 + LEAST_GAIN) > trial.rate
        if compensated and passed < max(RATE_TIME, 2 * term):
            return
        self._trial = None
        self._lanes[trial.lane].paused = False
        if compensated:
            self._lanes[trial.lane].left_until = math.inf
            self._worth = max(trial.rate, self._worth or 0.0)
            self._lines.learn_width(trial.others, now)
        else:
            self._settled = True
        self._measure(rate, now)

    def _take_back(self) -> None:
        """Asks the mirrors again that were left for nothing: the others were as fast for a moment only."""
        for standing in self._lanes.values():
            standing.left_until = 0.0
        self._settled = True
        self._lines.forget_width()

    def _measure(self, rate: float, now: float) -> None:
        """Notes the rate of all over the last time, and measures it again from now on."""
        self._rate = rate
        self._since, self._given_then = now, self.given
