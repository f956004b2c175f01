"""Fronts for programs: `/status` and `/why/FILE_OR_PACKAGE` in JSON, `/metrics` for Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pacserve.errors import RequestError
from pacserve.report.status import Status
from pacserve.report.status_json import encode
from pacserve.report.why import Why
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask, Front

if TYPE_CHECKING:
    from pacserve.metrics.exposition import Exposition

_JSON = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
_LONGEST_NAME = 2000
"""Characters of a name; those of files have 255 at most, and URLs more."""


class StatusFront(Front):
    """`/status`: how things stand, as the status page and `pacsrv status` show it."""

    def __init__(self, status: Callable[[], Awaitable[Status]]) -> None:
        self._status = status

    async def answer(self, ask: Ask) -> Answer:
        if ask.parts:
            raise RequestError(404, "there is nothing below /status")
        return DocumentAnswer(encode(await self._status()), _JSON, quiet=True)


class WhyFront(Front):
    """`/why/FILE_OR_PACKAGE`: where a file would come from, and why."""

    def __init__(self, why: Callable[[str], Awaitable[Why | None]]) -> None:
        self._why = why

    async def answer(self, ask: Ask) -> Answer:
        if len(ask.parts) != 1 or not 1 <= len(ask.parts[0]) <= _LONGEST_NAME or not ask.parts[0].isprintable():
            raise RequestError(404, "ask for /why/PACKAGE, /why/FILE or /why/URL")
        why = await self._why(ask.parts[0])
        if why is None:
            raise RequestError(404, f"no database of pacman and no list of apt knows {ask.parts[0]}; pacman -Sy and apt update refresh them")
        return DocumentAnswer(encode(why), _JSON, quiet=True)


class MetricsFront(Front):
    """
    `/metrics`: the metrics as they are now, in the form that the client accepts.

    Args:
        exposition: Makes the writer of the metrics; called with the first request.
        status: Gives how things stand now.
    """

    def __init__(self, exposition: Callable[[], Exposition], status: Callable[[], Awaitable[Status]]) -> None:
        self._make = exposition
        self._exposition: Exposition | None = None
        self._status = status

    async def answer(self, ask: Ask) -> Answer:
        if ask.parts:
            raise RequestError(404, "ask for /metrics")
        if self._exposition is None:
            self._exposition = self._make()
        body, media_type = self._exposition.text(await self._status(), ask.header("Accept") or "")
        return DocumentAnswer(body, (("Content-Type", media_type), ("Vary", "Accept"), ("Cache-Control", "no-store")), quiet=True)
