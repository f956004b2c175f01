"""What Prometheus asks for: `/metrics`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pacserve.errors import RequestError
from pacserve.report.status import Status
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask, Front

if TYPE_CHECKING:
    from pacserve.metrics.exposition import Exposition


class MetricsFront(Front):
    """
    Answers with the metrics as they are now, in the form that the client accepts.

    Args:
        exposition: Makes what writes them, when somebody asks for the first time.
        status: Gives what the daemon does now.
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
