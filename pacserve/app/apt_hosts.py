"""Keeps apt's configuration told for which hosts this daemon answers."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pacserve.app.apt_notice import AptNotice
from pacserve.apt.knowledge import Lists
from pacserve.complaints import Complaints

# Seconds after which sources of apt that have changed are told at the latest.  Until then apt goes past pacserve for a new one.
LOOK_INTERVAL = 15.0


class AptHosts:
    """
    Publishes the daemon's URL at once, and the hosts of apt's sources as soon as they are known and whenever they change.

    Looking is pacserve's own work: apt asks only for hosts that it was told.

    Args:
        url: Where apt is answered on this host.
    """

    _log = Logger()

    def __init__(self, lists: Lists, notice: AptNotice, url: str, clock: IReactorTime) -> None:
        self._lists = lists
        self._notice = notice
        self._url = url
        self._complaints = Complaints(self._log)
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def start(self) -> None:
        """Tells apt's configuration of the daemon."""
        self._notice.publish(self._url, self._lists.bases().hosts())
        self._complaints.hear(self._looking.start(LOOK_INTERVAL), "looking at the sources of apt")

    def stop(self) -> None:
        """Has apt go on without pacserve from now on."""
        if self._looking.running:
            self._looking.stop()
        self._notice.withdraw()

    def _look(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._refresh())

    async def _refresh(self) -> None:
        await self._lists.refresh()
        if self._looking.running:  # or it was withdrawn meanwhile
            self._notice.publish(self._url, self._lists.bases().hosts())
