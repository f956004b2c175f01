"""A host's place among the followers of a download, and how fast it gets the file.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

# Seconds of one measurement.  The better of the last two counts: a host is slow that was slow for two seconds.
RATE_WINDOW = 0.9
# A host that gets less than this part of what its leader gets is held up: by its own link, or by that of its leader.
KEEPS_UP_RATIO = 0.7
# Seconds by which such a host is behind its leader at least: what is on its way, or in buffers, is no lag.
LAG = 0.5
# Addresses whose complaints end the use of a leader that says how far it is: one alone may be a liar.
COMPLAINTS_LIMIT = 2

# Seconds after which a host that said how far it is counts as gone: it says so each second.
SILENCE = 2.5
# Bytes that a host has and its follower has not, though it gives all that it has.
_ON_THE_WAY = 64 << 10


@dataclass(slots=True)
class Place:
    """
    The place of one host.

    Attributes:
        source: The address that it asks from.
        reports: True if it says how much of the file it has: hosts of earlier versions don't.
        leader: The host that it was told to follow; empty for the root.
        followers: The hosts that it feeds, the earlier first.
        written: The bytes that it has, as it said last.
        rate: Bytes per second that it gets; None while that is not known.
        moves: How often it was told another leader without having asked for one.
        slow: True if a follower left it because it got so little.
        tried: True if it was moved to see whether its leader or its own link is slow.
        placed_at: When it was told its leader.
        left: Leaders that were of no use to it.
        stayed_with: The leader that it was told again when it asked for another one.
    """

    source: str = ""
    reports: bool = False
    leader: str = ""
    followers: dict[str, None] = field(default_factory=dict)
    written: int = 0
    rate: float | None = None
    moves: int = 0
    slow: bool = False
    tried: bool = False
    placed_at: float = 0.0
    left: tuple[str, ...] = ()
    stayed_with: str = ""
    _complaints: tuple[str, ...] = ()
    _heard_at: float | None = None
    # The beginning of a measurement, and its bytes.
    _since: tuple[float, int] | None = None
    _before: float | None = None

    @property
    def doubted(self) -> bool:
        """True if a host could not download from it."""
        return bool(self._complaints)

    @property
    def deserted(self) -> bool:
        """True if it is of no use as a leader."""
        return len(self._complaints) >= (COMPLAINTS_LIMIT if self.reports else 1)

    def complain(self, source: str) -> None:
        """Notes that a host at some address could not download from this one."""
        if source not in self._complaints:
            self._complaints = (*self._complaints, source)[:COMPLAINTS_LIMIT]

    def report(self, written: int, now: float) -> bool:
        """
        Notes how many bytes the host says that it has.

        Returns:
            True if a measurement has ended.
        """
        begun_again = written < self.written
        self.written, self._heard_at = written, now
        if self._since is None or begun_again:
            self._since = now, written
            return False
        since, before = self._since
        if now - since < RATE_WINDOW:
            return False
        rate = (written - before) / (now - since)
        if self._before is not None:
            self.rate = max(rate, self._before)
        self._before = rate
        self._since = now, written
        return True

    def placed(self, leader: str, now: float) -> None:
        """Notes that the host was told to follow another one: its rate is measured anew from there."""
        self.leader, self.placed_at = leader, now
        self.rate = self._before = None
        self._since = now, self.written

    def has_by(self, now: float) -> int:
        """Returns the bytes that the host has at a time, if it has gone on as before since it was heard."""
        return self.written if self._heard_at is None or self.rate is None else int(self.written + self.rate * (now - self._heard_at))

    def has_given_all_to(self, written: int, now: float) -> bool:
        """Returns whether the host is alive and waits for more itself, so that a follower with so many bytes has nothing to complain of."""
        return self._heard_at is not None and now - self._heard_at < SILENCE and self.written <= written + _ON_THE_WAY

    def is_held_up(self, leader: Place) -> bool:
        """Returns whether the host gets less than its leader does, and lags behind."""
        if self.rate is None or leader.rate is None:
            return False
        return self.rate < KEEPS_UP_RATIO * leader.rate and leader.written - self.written > LAG * leader.rate
