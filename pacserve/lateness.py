"""How late this process is: a machine that is short of CPU lets timers wait, and a host that answers at once seems silent then."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

# Seconds between two measurements.  A pause of the whole process is seen by whatever is measured next, a load that lasts by several.
MEASURING_INTERVAL = 0.25
# Seconds in which what was measured counts half: a burst of work, such as an upgrade, is not over after its first late timer.
HALF_LIFE = 10.0
# Times the lateness that a budget grows by: in a question and its answer each of two hosts has two turns that may come late.
_TURNS = 4.0
# Seconds of lateness below which nothing is widened: a turn of an idle process takes milliseconds.
_USUAL = 0.01


class Lateness:
    """
    Measures how late the timers of this process are, and widens budgets by that.

    The other hosts of a LAN are not known to be as late as this one, but they often are: virtual machines share their cores, and all machines
    unpack packages at the same time.  A budget that was too wide costs a wait for a host that is gone, one that was too narrow a second download.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._worst = 0.0
        self._as_of = 0.0
        self._due = 0.0
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Measures from now on."""
        self._due = self._clock.seconds() + MEASURING_INTERVAL
        self._timer = self._clock.callLater(MEASURING_INTERVAL, self._measure)

    def stop(self) -> None:
        """Measures no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def seconds(self) -> float:
        """The worst lateness of late, in seconds, half forgotten after `HALF_LIFE`; a measurement that is overdue counts as well."""
        now = self._clock.seconds()
        overdue = now - self._due if self._timer is not None else 0.0
        return max(self._worst * float(0.5 ** ((now - self._as_of) / HALF_LIFE)), overdue)

    def widened(self, budget: float, most: float) -> float:
        """
        Returns a budget that allows for the lateness of this host, and of one that is asked.

        Args:
            budget: Seconds that are enough where nobody is late.
            most: Seconds that it never exceeds.
        """
        late = self.seconds
        return budget if late <= _USUAL else max(budget, min(most, budget + _TURNS * late))

    def _measure(self) -> None:
        self._worst, self._as_of = self.seconds, self._clock.seconds()
        self.start()


class _Punctual(Lateness):
    def __init__(self) -> None:
        pass

    def start(self) -> None:
        return

    def stop(self) -> None:
        return

    @property
    def seconds(self) -> float:
        return 0.0


# A process that is never late.
PUNCTUAL: Lateness = _Punctual()
