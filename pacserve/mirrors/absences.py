"""Files that no mirror had a moment ago, so that whoever asks for them again makes no traffic.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

from pacserve.packages.files import FileRequest

# Seconds; mirrors are updated while machines upgrade, so that it must not be long.
REMEMBERED = 5.0
_LIMIT = 1024


class Absences:
    """The requests to which every mirror said no."""

    def __init__(self) -> None:
        self._said: dict[FileRequest, tuple[float, str]] = {}

    def __len__(self) -> int:
        return len(self._said)

    def remember(self, request: FileRequest, reasons: str, now: float) -> None:
        """No mirror has this file."""
        self._said.pop(request, None)  # the oldest comes first
        self._said[request] = now + REMEMBERED, reasons
        if len(self._said) > _LIMIT:
            del self._said[next(iter(self._said))]

    def forget(self, request: FileRequest) -> None:
        """Something has changed: there may be such a file now."""
        self._said.pop(request, None)

    def reasons(self, request: FileRequest, now: float) -> str | None:
        """What the mirrors said, when that was a moment ago; otherwise they have to be asked."""
        until, reasons = self._said.get(request, (now, ""))
        return reasons if now < until else None
