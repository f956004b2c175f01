"""The parts into which a file is divided, and which of them a mirror is asked for next.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pacserve.sources.upstreams import Upstream
from pacserve.transfer.givers import Givers
from pacserve.transfer.spans import Span, Spans

# Seconds that a part takes at the rate of its mirror.  A mirror is asked for the next one when a part has ended, which costs one round-trip time.
PART_SECONDS = 1.0
# Round-trip times that a part takes at least, so that a far mirror does not spend its time waiting for questions.
PART_ROUND_TRIPS = 40
# Seconds after which it can be told how fast a part comes, and seconds without a byte after which it is in doubt whether more will come.
SETTLING_TIME = 0.3
SILENCE = 0.5
# Seconds that must be gained for the end of a part to be asked of another mirror: the connection of the first one is closed then.
SHARING_GAIN = 0.3
# Seconds sooner that a file must be here for a few bytes of a slow mirror to be asked of another one.
GAIN_WORTH = 1.0
# Bytes per second that a mirror is taken to give of which nothing is known.
RATE_ASSUMED = 200e3


@dataclass(frozen=True, slots=True)
class Sizes:
    """
    The sizes, in bytes, by which files are divided.

    Attributes:
        file: A file of fewer bytes is not divided: it is not worth the questions.
        first: The first part of a mirror of which nothing is known.
        least: Every other part, at least.
        most: Every part, at most.
        alone: The same where no other mirror is asked meanwhile.
        window: Bytes behind the first one that is missing which may be asked for: no more is on the disk at any time that no reader can have yet.
    """

    file: int = 8 << 20
    first: int = 512 << 10
    least: int = 256 << 10
    most: int = 8 << 20
    alone: int = 16 << 20
    window: int = 24 << 20


# As the Internet has them.
USUAL_SIZES = Sizes()


@dataclass(eq=False, slots=True)
class Lane:
    """
    A mirror that parts of one file are asked of.

    Attributes:
        rate: Bytes per second that it gave lately; None where that is not known.
        delay: Seconds from its last question to the answer.
        part: The part that it was asked for; None where it has nothing to do.
        began: The first byte that it was asked for.
        position: The next byte that it will give.
        asked_at: When it was asked for the part.
        heard_at: When its last byte came, or the question was sent; behind a limit, the time from which on more may come.
        given: The bytes of all its parts that were of use.
        parts: The number of parts of which it was seen how fast they came.
        pace: Tells how fast the part comes.
    """

    upstream: Upstream
    rate: float | None = None
    delay: float = 0.0
    part: Part | None = None
    began: int = 0
    position: int = 0
    asked_at: float = 0.0
    heard_at: float = 0.0
    given: int = 0
    parts: int = 0
    pace: PartPace | None = None

    def answered(self, now: float) -> None:
        """Takes note of the head of an answer."""
        self.delay = now - self.asked_at
        self.heard_at = now
        self.pace = PartPace(self.position, self.part.end if self.part else self.position, now)

    def held_back(self, until: float) -> None:
        """Takes note that a limit keeps the mirror from being read for a while: it is not to blame for that."""
        if self.pace is not None:
            self.pace.waited += until - self.heard_at
        self.heard_at = until

    def judged(self, now: float) -> float | None:
        """Returns the bytes per second of the part so far, and remembers them; None where it is too early to tell."""
        rate = None if self.pace is None else self.pace.rate(self.position, now)
        if rate is not None:
            self.parts += 1
            # One that becomes faster is believed at once, since connections begin slowly.
            self.rate = rate if self.rate is None or rate > self.rate else (self.rate + rate) / 2
        return rate


class PartPace:
    """
    Measures how fast a part comes, by its second half where that has begun: connections begin slowly.

    Args:
        first: The first byte that is to come.
        end: The byte behind the last one.

    Attributes:
        waited: Seconds for which a limit of this host kept the mirror from being read.
    """

    def __init__(self, first: int, end: int, now: float) -> None:
        self.waited = 0.0
        self._half = (first + end) // 2
        self._from, self._since = first, now
        self._halved = False

    def arrived(self, position: int, now: float) -> None:
        """Takes note of the next byte that is to come."""
        if not self._halved and position >= self._half:
            self._halved = True
            if now > self._since:
                self._from, self._since = position, now

    def rate(self, position: int, now: float) -> float | None:
        """Returns bytes per second; None where it is too early to tell."""
        passed = now - self._since
        return (position - self._from) / passed if passed > 0 and position > self._from else None


@dataclass(eq=False, slots=True)
class Part:
    """
    A part of the file that mirrors were asked for.

    Attributes:
        have: The first of its bytes that is not here.
        lanes: The mirrors that were asked for it and have not failed, two at most.
        single: It is asked of one mirror at a time, so that it is known which one gives it.
    """

    first: int
    end: int
    have: int
    lanes: list[Lane] = field(default_factory=list)
    single: bool = False

    @property
    def whole(self) -> bool:
        """True if all of it is here."""
        return self.have >= self.end


class Division:
    """
    Divides the missing bytes of a file into parts.

    Parts begin in the order of the file, and none is far ahead of the first byte that is missing, since readers want the bytes in order.

    Args:
        missing: The bytes that are missing.
        sizes: How large parts are.
        before: Who gave the bytes in a pass before this one; no mirror is asked again for what it gave then.
    """

    def __init__(self, missing: Iterable[Span], sizes: Sizes, before: Givers | None = None) -> None:
        self._unasked = Spans(missing)
        self._sizes = sizes
        self._before = before
        self._parts: list[Part] = []

    def __iter__(self) -> Iterator[Part]:
        """Yields the parts that were asked for and are not whole, in the order of the file."""
        return iter(list(self._parts))

    @property
    def left(self) -> int:
        """The bytes that are not here yet."""
        return self._unasked.size + sum(part.end - part.have for part in self._parts)

    @property
    def first_lanes(self) -> Sequence[Lane]:
        """The mirrors that were asked for the first of these parts, which readers wait for."""
        return self._parts[0].lanes if self._parts else ()

    def next(self, lane: Lane, front: int, now: float, busy: Iterable[Lane] = ()) -> Part | None:
        """
        Gives a mirror that has nothing to do the part that it should be asked for now; None where there is none.

        Args:
            front: The first byte of the file that is missing.
            busy: The other mirrors that are asked now.
        """
        others = list(busy)
        part = self._orphan(lane) or self._silent(lane, now) or self._new(lane, front, others) or self._shared(lane, now)
        if part is not None:
            part.lanes.append(lane)
            lane.part, lane.began, lane.position = part, part.have, part.have
            lane.asked_at = lane.heard_at = now
        return part

    def arrived(self, lane: Lane, count: int, now: float) -> int:
        """
        Takes note of the next bytes of a mirror.

        Returns:
            How many of them are here already, since another mirror gave them first.
        """
        part = lane.part
        if part is None:
            return count
        known = min(count, part.have - lane.position)
        lane.position += count
        lane.heard_at = now
        lane.given += count - known
        if lane.pace is not None:
            lane.pace.arrived(lane.position, now)
        part.have = max(part.have, lane.position)
        if part.whole and part in self._parts:
            self._parts.remove(part)
        return known

    def ended(self, lane: Lane) -> None:
        """Takes note that a mirror gives no more of its part, whether that is whole or not."""
        part, lane.part = lane.part, None
        if part is not None:
            part.lanes.remove(lane)

    def give_back(self, first: int, end: int) -> None:
        """Takes note that bytes that were here turned out to be wrong, and are to be asked for again."""
        self._unasked.add(first, end)

    def ask_again(self, first: int, end: int) -> None:
        """Takes note that bytes that were here turned out to be wrong, and are to be asked for again as one part, which comes next."""
        self._parts.append(Part(first, end, first, single=True))
        self._parts.sort(key=lambda one: one.first)

    def _orphan(self, lane: Lane) -> Part | None:
        """Returns the first part that nobody gives any more."""
        return next((part for part in self._parts if not part.lanes and not self._gave(lane, part.have)), None)

    def _gave(self, lane: Lane, position: int) -> bool:
        """Returns whether the mirror gave the byte at that position in the pass before."""
        return self._before is not None and any(given.giver is lane.upstream for given in self._before.between(position, position + 1))

    def _new(self, lane: Lane, front: int, others: list[Lane]) -> Part | None:
        """Returns a part that nobody was asked for yet, and no byte of which is too far ahead of readers."""
        for first, end in self._allowed(lane):
            room = front + self._sizes.window - first
            if room < min(self._sizes.least, end - first):
                return None
            part = Part(first, min(end, first + min(room, self._length(lane, others))), first)
            self._unasked.remove(part.first, part.end)
            self._parts.append(part)
            self._parts.sort(key=lambda one: one.first)
            return part
        return None

    def _allowed(self, lane: Lane) -> Iterator[Span]:
        """Yields the spans that a mirror may be asked for."""
        for first, end in self._unasked:
            if self._before is None:
                yield first, end
                continue
            for given in self._before.between(first, end):
                if given.giver is not lane.upstream:
                    yield given.first, given.end

    def _length(self, lane: Lane, others: list[Lane]) -> int:
        """Returns how many bytes a mirror is asked for at once."""
        if lane.rate is None:
            return self._sizes.first
        most = self._sizes.most if others else self._sizes.alone
        wanted = min(most, int(lane.rate * max(PART_SECONDS, PART_ROUND_TRIPS * lane.delay)))
        # The last parts are such that all mirrors end at the same moment.
        # One of which nothing is known yet is taken to be as fast: otherwise the first that is known would be asked for all the rest of a small file.
        together = lane.rate + sum(other.rate or lane.rate for other in others)
        return max(self._sizes.least, min(wanted, int(self._unasked.size * lane.rate / together)))

    def _silent(self, lane: Lane, now: float) -> Part | None:
        """Returns the first part, where the mirror that was asked for it gives nothing: two are asked for it then."""
        for part in self._parts[:1]:
            if self._can_double(part, lane) and now - part.lanes[0].heard_at >= max(SILENCE, 2 * part.lanes[0].delay):
                return part
        return None

    def _shared(self, lane: Lane, now: float) -> Part | None:
        """
        Returns the end of the part that everything waits for, which the mirror that was asked gives up; None where both would not end much sooner.

        It is called where there is nothing else to ask for.
        """
        # Where there will be, once readers are further, only the first part holds everything up.
        found = self._parts[:1] if len(self._unasked) else self._parts
        ways = [(self._gain(part, lane, now), part) for part in found if self._can_double(part, lane)]
        (gain, size), part = max(ways, key=lambda way: way[0][0], default=((0.0, 0), None))
        if part is None or gain < SHARING_GAIN:
            return None
        end = Part(part.end - size, part.end, part.end - size)
        part.end = end.first
        self._parts.insert(self._parts.index(part) + 1, end)
        return end

    def _can_double(self, part: Part, lane: Lane) -> bool:
        return not part.single and len(part.lanes) == 1 and part.lanes[0] is not lane and not self._gave(lane, part.have)

    def _gain(self, part: Part, lane: Lane, now: float) -> tuple[float, int]:
        """Returns the seconds by which a part would be here sooner if this mirror gave the end of it, and the bytes of that end."""
        other = part.lanes[0]
        age = now - other.asked_at - (0.0 if other.pace is None else other.pace.waited)
        if age < SETTLING_TIME + other.delay:
            return 0.0, 0
        left = part.end - part.have
        theirs = max(1.0, (other.position - other.began) / age)
        mine = lane.rate or other.rate or RATE_ASSUMED
        # Both end at the same moment.
        size = int(mine * (left - theirs * lane.delay) / (theirs + mine))
        gain = size / theirs
        return (gain, size) if size >= self._sizes.least or gain >= GAIN_WORTH else (0.0, 0)
