"""What programs are told: `/status` and `/why/FILE_OR_PACKAGE`, in JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pacserve.errors import RequestError
from pacserve.report.status import Status, Why, encode
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask, Front

_JSON = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
# Characters of a name; pacman's own are shorter.
_LONGEST = 255


class StatusFront(Front):
    """`/status`."""

    def __init__(self, status: Callable[[], Awaitable[Status]]) -> None:
        self._status = status

    async def answer(self, ask: Ask) -> Answer:
        if ask.parts:
            raise RequestError(404, "there is nothing below /status")
        return DocumentAnswer(encode(await self._status()), _JSON, quiet=True)


class WhyFront(Front):
    """`/why/FILE_OR_PACKAGE`."""

    def __init__(self, why: Callable[[str], Awaitable[Why | None]]) -> None:
        self._why = why

    async def answer(self, ask: Ask) -> Answer:
        if len(ask.parts) != 1 or not 1 <= len(ask.parts[0]) <= _LONGEST or not ask.parts[0].isprintable():
            raise RequestError(404, "ask for /why/PACKAGE or /why/FILE")
        why = await self._why(ask.parts[0])
        if why is None:
            raise RequestError(404, f"no database of pacman knows {ask.parts[0]}; pacman -Sy refreshes them")
        return DocumentAnswer(encode(why), _JSON, quiet=True)
