"""The order in which hosts that announced themselves are asked for their identity."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

# Seconds between two turns, and how many hosts are contacted in one: a hundred in a second.
TURN_INTERVAL = 0.1
CONTACTS_PER_TURN = 10


class Contacts:
    """
    Contacts hosts some time after it was planned, a few in each turn.

    Args:
        wanted: Says whether a host is still worth a question, by its instance id.
        room: Gives how many questions may be added to those that are under way.
        contact: Asks a host, and gives how many questions that took.
    """

    def __init__(self, clock: IReactorTime, wanted: Callable[[str], bool], room: Callable[[], int], contact: Callable[[str], int]) -> None:
        self._clock = clock
        self._wanted = wanted
        self._room = room
        self._contact = contact
        self._due: dict[str, float] = {}
        self._timer: IDelayedCall | None = None

    def plan(self, instance: str, delay: float) -> None:
        """Contacts a host after so many seconds, unless that is planned already."""
        self._due.setdefault(instance, self._clock.seconds() + delay)
        if self._timer is None or not self._timer.active():
            self._timer = self._clock.callLater(TURN_INTERVAL, self._take_turn)

    def stop(self) -> None:
        """Contacts no host any more."""
        self._due.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _take_turn(self) -> None:
        now = self._clock.seconds()
        self._due = {instance: due for instance, due in self._due.items() if self._wanted(instance)}
        room = min(CONTACTS_PER_TURN, self._room())
        for instance in [instance for instance, due in self._due.items() if due <= now]:
            if room <= 0:
                break
            del self._due[instance]
            room -= self._contact(instance)
        if self._due and (self._timer is None or not self._timer.active()):
            self._timer = self._clock.callLater(TURN_INTERVAL, self._take_turn)
