"""Reports on the daemon for people and programs, wired together: counting, the history on disk, and the fronts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, globalLogPublisher

from pacserve.app.advising import Advice
from pacserve.app.apt_explaining import AptExplaining
from pacserve.app.explaining import Explaining, why_of_all
from pacserve.app.reporting import Parts, Reporting
from pacserve.app.routes import ReportFronts
from pacserve.app.searching import Searching
from pacserve.complaints import Complaints
from pacserve.delivery.delivering import Deliverer
from pacserve.errors import reason_of
from pacserve.fronts.page import EventsFront, PageFront, SearchFront, StaticFront, watched
from pacserve.fronts.status import MetricsFront, StatusFront, WhyFront
from pacserve.metrics.errors import ErrorCounts, ErrorObserver
from pacserve.metrics.requests import RequestCounts
from pacserve.report.archive import Archive
from pacserve.report.status import Status
from pacserve.web.bodies.events import Events
from pacserve.web.witness import Witness

if TYPE_CHECKING:
    from pacserve.metrics.exposition import Exposition

WRITE_INTERVAL = 60.0
"""Seconds between two writings of the counts, where they have changed: what a daemon that is killed loses."""

_DATABASE = "history.sqlite"


class Telling:
    """
    Counts requests, keeps the counts over restarts, and reports them.

    Args:
        advice: Knows what is wrong with this host.

    Attributes:
        fronts: Report the counts and the state of the daemon.
        witnesses: Count, and are to be told how each request ended.
    """

    _log = Logger()

    def __init__(self, parts: Parts, delivery: Deliverer, errors: ErrorCounts, advice: Advice) -> None:
        self._parts = parts
        self._advice = advice
        self._archive = Archive(f"{parts.settings.state}/{_DATABASE}")
        self._reporting = Reporting(parts)
        explaining = [Explaining(parts, delivery).why]
        if parts.apt is not None:
            explaining.append(AptExplaining(parts.apt, parts.ledger, parts.left_out).why)
        status, requests = self._status, RequestCounts()
        self._events = Events(watched(status, parts.wall), parts.clock, ranking=parts.ranking)
        self._errors = ErrorObserver(errors)
        self.fronts = ReportFronts(
            page=PageFront(status, parts.wall),
            static=StaticFront(),
            events=EventsFront(self._events),
            search=SearchFront(Searching(parts).search, parts.name, parts.wall),
            status=StatusFront(status),
            why=WhyFront(partial(why_of_all, explaining)),
            metrics=MetricsFront(partial(_exposition, requests, errors, peers=parts.settings.metrics_peers), self._reporting.status),
        )
        self.witnesses: Sequence[Witness] = (parts.ledger, requests)
        self._written = 0
        self._complaints = Complaints(self._log)
        self._writing: LoopingCall | None = None

    async def _status(self) -> Status:
        return self._advice.added(await self._reporting.status())

    async def advise(self) -> None:
        """Checks this host, and logs what is wrong with it."""
        await self._advice.tell(await self._reporting.status())

    async def start(self) -> None:
        """
        Takes over the counts of earlier runs, and writes them from now on, unless the user wants no history.

        Where they can't be written a warning says so, once.
        """
        globalLogPublisher.addObserver(self._errors)
        if not self._parts.settings.history:
            return
        try:
            history = await self._parts.in_thread(lambda: self._archive.read(self._parts.wall()))
        except OSError as error:
            self._complain(error)
        else:
            self._parts.ledger.take_over(history)
        # A defect must not end the loop: the next write may succeed.
        self._writing = LoopingCall(lambda: self._complaints.hear(Deferred.fromCoroutine(self.write()), "writing the history"))
        self._writing.clock = self._parts.clock
        self._writing.start(WRITE_INTERVAL, now=False)

    async def stop(self) -> None:
        """Writes the counts for the last time."""
        globalLogPublisher.removeObserver(self._errors)
        if self._writing is not None and self._writing.running:
            self._writing.stop()
        await self.write()

    def retire(self) -> None:
        """Ends the event streams of open pages, which would last for ever."""
        self._events.stop()

    async def write(self) -> None:
        """Writes the latest hours and days, where anything was counted since the last time."""
        ledger = self._parts.ledger
        changes = ledger.changes
        if changes == self._written or not self._parts.settings.history:
            return
        history = ledger.history()
        latest = replace(history, hours=history.hours[-2:], days=history.days[-2:])
        try:
            await self._parts.in_thread(lambda: self._archive.write(latest))
        except OSError as error:
            self._complain(error)
        else:
            self._written = changes
            self._complaints.about("history", "")

    def _complain(self, error: OSError) -> None:
        folder = self._parts.settings.state
        self._complaints.about(
            "history", f"the history can't be kept in {folder}: {reason_of(error, folder)}; choose another folder with --state, or --no-history"
        )


def _exposition(requests: RequestCounts, errors: ErrorCounts, *, peers: bool) -> Exposition:
    """Returns the writer of metrics, imported on demand: prometheus_client brings a web server, and most daemons are never asked for metrics."""
    from pacserve.metrics.exposition import Exposition  # noqa: PLC0415

    return Exposition(requests, errors, peers=peers)
