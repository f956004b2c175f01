"""Which mirrors a download takes its bytes from, seen over all downloads of this host.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pacserve.bounded import ExpiringMemory
from pacserve.packages.files import ExpectedFile
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.division import USUAL_SIZES, Sizes

# Seconds for which it is remembered that a mirror does not give parts of files, and how many mirrors the line of this host has use for.
UNDIVIDED_MEMORY = 3600.0
WIDTH_MEMORY = 600.0
_MIRRORS_LIMIT = 256
# The part of the best rate below which a mirror gets fewer files than others.
FAR_SLOWER = 0.3
# Seconds for which it is remembered that a mirror gave a wrong file: pacman asks again within minutes, and mirrors are mended within hours.
LIE_MEMORY = 3600.0


class Lines:
    """
    Knows the mirrors that give files to this host at the moment, and how the downloads share them.

    Args:
        at_once: Mirrors that one file is taken from at once, at most.

    Attributes:
        at_once: The same.
        sizes: How files are divided.
    """

    def __init__(self, at_once: int = 1, sizes: Sizes = USUAL_SIZES) -> None:
        self.at_once = at_once
        self.sizes = sizes
        self._flows: Counter[str] = Counter()
        self._undivided: ExpiringMemory[str, bool] = ExpiringMemory(_MIRRORS_LIMIT, UNDIVIDED_MEMORY)
        self._lies: ExpiringMemory[tuple[str, bytes], bool] = ExpiringMemory(_MIRRORS_LIMIT, LIE_MEMORY)
        self._width: ExpiringMemory[str, int] = ExpiringMemory(1, WIDTH_MEMORY)

    def width(self, now: float) -> int:
        """Returns the number of mirrors that one file is taken from at once."""
        return min(self.at_once, self._width.get("", now) or self.at_once)

    def learn_width(self, width: int, now: float) -> None:
        """Takes note that more mirrors than so many bring no more bytes to this host."""
        self._width.remember("", max(1, width), now)

    def forget_width(self) -> None:
        """Takes note that this was wrong."""
        self._width.clear()

    def divided(self, expected: ExpectedFile | None, upstreams: Sequence[Upstream], now: float, *, gaps: bool = False) -> Sequence[Upstream]:
        """
        Returns the mirrors that a file would be taken from at once, and behind them those that would take the place of one that fails.

        Args:
            upstreams: The hosts that may have the file, best first.
            gaps: True if later bytes of it are here: a single mirror is then asked for parts as well, so that these do not come again.

        Returns:
            None of them where the file comes from one host at a time.
        """
        if (self.at_once < 2 and not gaps) or expected is None or expected.sha256 is None or expected.size < self.sizes.file:
            return ()
        if not upstreams or not upstreams[0].divisible:
            return ()
        able = [upstream for upstream in upstreams if upstream.divisible and self._undivided.get(upstream.label, now) is None]
        sound = [upstream for upstream in _one_of_each(able) if not upstream.resting]
        return sound if len(sound) > 1 or gaps else ()

    def taken_from(self, expected: ExpectedFile | None, upstreams: Sequence[Upstream], now: float) -> Sequence[Upstream]:
        """
        Returns the mirrors that a file would be taken from at once if its download began now and no other one ran; see `divided`.

        A mirror that failed lately is asked only in the place of one that fails.
        """
        sound = [upstream for upstream in self.divided(expected, upstreams, now) if upstream.sound][: self.width(now)]
        return sound if len(sound) > 1 else ()

    def refused_parts(self, upstream: Upstream, now: float) -> None:
        """Takes note that a mirror gives whole files only."""
        self._undivided.remember(upstream.label, True, now)

    def lied(self, upstream: Upstream, expected: ExpectedFile | None, now: float) -> None:
        """Takes note that a host gave a wrong file, or a wrong part of it."""
        if expected is not None and expected.sha256 is not None:
            self._lies.remember((upstream.label, expected.sha256), True, now)

    def honest(self, expected: ExpectedFile | None, upstreams: Sequence[Upstream], now: float) -> Sequence[Upstream]:
        """
        Returns the hosts without those that gave this file wrong; all of them where nobody else is left.

        Where none has the file that the database states, it is the database that is wrong, and may be right a moment later.
        """
        if expected is None or expected.sha256 is None:
            return upstreams
        sha256 = expected.sha256
        return [upstream for upstream in upstreams if self._lies.get((upstream.label, sha256), now) is None] or upstreams

    def spread(self, upstreams: Sequence[Upstream]) -> list[Upstream]:
        """
        Returns the hosts with the mirror first that has the least to do, of those that one file would be taken from at once.

        A mirror on the LAN keeps its place.  Hosts that failed lately, perhaps for this very file, come last.
        """
        order = sorted(upstreams, key=lambda upstream: not upstream.sound)
        first = _one_of_each(upstream for upstream in order if upstream.divisible and upstream.sound and not upstream.resting)[: self.at_once]
        if len(first) < 2 or order[0] is not first[0] or first[0].near:
            return order
        least = self.by_load(first)[0]
        order.remove(least)
        return [least, *order]

    def by_load(self, upstreams: Sequence[Upstream]) -> list[Upstream]:
        """Returns mirrors in the order in which they should give one more file: by the number that they give, and by their rate where that is low."""
        best = max((upstream.rate or 0.0 for upstream in upstreams), default=0.0)

        def load(upstream: Upstream) -> float:
            flows = self._flows[upstream.machine] + 1
            # Rates of small files say little: only one that is far lower counts.
            far_slower = upstream.rate is not None and upstream.rate < best * FAR_SLOWER
            return flows * best / max(upstream.rate or 0.0, 1.0) if far_slower else flows

        return sorted(upstreams, key=load)

    def is_idle(self, upstream: Upstream) -> bool:
        """Returns whether a mirror gives nothing to this host now."""
        return not self._flows[upstream.machine]

    def are_shared(self, flows: int) -> bool:
        """Returns whether mirrors give more to this host than so many flows, as they do when there are other downloads."""
        return sum(self._flows.values()) > flows

    def begin(self, upstream: Upstream) -> None:
        """Takes note that a mirror was asked for bytes."""
        self._flows[upstream.machine] += 1

    def end(self, upstream: Upstream) -> None:
        """Takes note that it gives no more of them."""
        self._flows[upstream.machine] -= 1
        if self._flows[upstream.machine] <= 0:
            del self._flows[upstream.machine]


def _one_of_each(upstreams: Iterable[Upstream]) -> list[Upstream]:
    """Returns the first of each machine's: several Server lines of one host, by http and by https say, are one mirror."""
    found: dict[str, Upstream] = {}
    for upstream in upstreams:
        found.setdefault(upstream.machine, upstream)
    return list(found.values())
