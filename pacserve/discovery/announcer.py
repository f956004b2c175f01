"""The times at which this host announces itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pacserve.discovery.announcement import Announcement, Kind, encode
from pacserve.discovery.link import LANLink

# Seconds between the two IP versions, so that a host is known by its IPv4 address first.
FAMILY_DELAY = 0.5
# Seconds from a hello to the announcement that makes up for its loss.
SECOND_TRY = 2.0
# Seconds within which a hello is sent, an answer to one, and what is said of a change; at least, and more for each host of the LAN.
HELLO_JITTER, HELLO_JITTER_EACH = 0.1, 0.004
ANSWER_DELAY, ANSWER_JITTER, ANSWER_JITTER_EACH = 0.02, 0.03, 0.004
CHANGE_DELAY, CHANGE_JITTER, CHANGE_JITTER_EACH = 0.2, 0.3, 0.002
# Seconds between two announcements, at least, and more for each host of the LAN.
SPACING, SPACING_EACH = 1.0, 0.01
# The part of the interval that announcements come early by, at most, so that hosts that were switched on together do not speak together for ever.
_EARLY = 0.2


@dataclass(frozen=True, slots=True)
class Timing:
    """
    The pace of discovery.

    Attributes:
        random: Spreads over time what all hosts would do at once.
        interval: Seconds between two announcements when nothing happens.
    """

    clock: IReactorTime
    random: Random
    interval: float


class Announcer:
    """
    Sends announcements: a hello at the start, answers to hellos, changes, and one every interval.

    At most one announcement is planned.  Whatever it was planned for, it says how things are when it goes out, and so answers all that came in
    before.

    Args:
        describe: Gives the announcement of a kind, as things are now.
        hosts: Gives how many other hosts are known.
    """

    def __init__(self, link: LANLink, timing: Timing, describe: Callable[[Kind], Announcement], hosts: Callable[[], int]) -> None:
        self._link = link
        self._clock = timing.clock
        self._random = timing.random
        self._interval = timing.interval
        self._describe = describe
        self._hosts = hosts
        self._kind = Kind.HERE
        self._timer: IDelayedCall | None = None
        self._second: IDelayedCall | None = None
        self._sent_at: float | None = None
        self._running = False

    def hello(self) -> None:
        """Says hello soon, and begins to announce where that has not begun."""
        self._running = True
        self._kind = Kind.HELLO
        self._by(self._jitter(HELLO_JITTER, HELLO_JITTER_EACH))

    def answer(self) -> None:
        """Announces this host soon, to one that said hello."""
        self._plan(ANSWER_DELAY + self._jitter(ANSWER_JITTER, ANSWER_JITTER_EACH))

    def changed(self) -> None:
        """Announces soon that the inventory changed."""
        self._plan(CHANGE_DELAY + self._jitter(CHANGE_JITTER, CHANGE_JITTER_EACH))

    def bye(self) -> None:
        """Says goodbye now, and nothing any more."""
        if not self._running:
            return
        self._running = False
        for timer in (self._timer, self._second):
            if timer is not None and timer.active():
                timer.cancel()
        payload = encode(self._describe(Kind.BYE))
        self._link.send(payload, 4)
        self._link.send(payload, 6)

    def _plan(self, delay: float) -> None:
        """Announces within so many seconds, but not too soon after the last time."""
        if not self._running:
            return
        if self._sent_at is not None:
            spacing = SPACING + SPACING_EACH * self._hosts()
            delay = max(delay, min(spacing, self._sent_at + spacing - self._clock.seconds()))
        self._by(delay)

    def _by(self, delay: float) -> None:
        if self._timer is None or not self._timer.active():
            self._timer = self._clock.callLater(delay, self._announce)
        elif self._timer.getTime() > self._clock.seconds() + delay:
            self._timer.reset(delay)

    def _announce(self) -> None:
        kind, self._kind = self._kind, Kind.HERE
        self._sent_at = self._clock.seconds()
        wait = SECOND_TRY if kind is Kind.HELLO else self._interval * (1 - self._random.uniform(0, _EARLY))
        self._timer = self._clock.callLater(wait, self._announce)
        payload = encode(self._describe(kind))
        self._link.send(payload, 4)
        if self._second is not None and self._second.active():
            self._second.cancel()  # a hello follows so soon: hosts that have IPv6 alone must hear that
        self._second = self._clock.callLater(FAMILY_DELAY, self._link.send, payload, 6)

    def _jitter(self, least: float, each: float) -> float:
        return self._random.uniform(0, least + each * self._hosts())
