"""What a request is answered with.  Values only."""

from __future__ import annotations

from dataclasses import dataclass

from pacserve.packages.files import HeldFile
from pacserve.web.bodies.arriving import ArrivingFile
from pacserve.web.bodies.events import Events


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """The answer is a local file."""

    held: HeldFile
    origin: str = "cache"


@dataclass(frozen=True, slots=True)
class RedirectAnswer:
    """
    The answer is a 307 to who holds the file.

    Attributes:
        origin: For the access log: `peer 10.0.0.3:15678` or `mirror https://example.org/core/os/x86_64`.
        size: The bytes that whoever was asked stated, None where nobody did.
    """

    url: str
    origin: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class DocumentAnswer:
    """
    The answer is made here and stands in memory.

    Attributes:
        headers: Everything but Content-Length, which is set from the body; for 304 the body is empty.
        quiet: Logged at debug only: what peers ask again and again in the background.
    """

    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/plain; charset=utf-8"),)
    status: int = 200
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """
    The answer is a file that may still be arriving.

    Attributes:
        file: A `ArrivingFile`, which knows who gives it.
        origin: What is done with it: `downloaded`, `relayed`.
    """

    file: ArrivingFile
    origin: str


@dataclass(frozen=True, slots=True)
class EventsAnswer:
    """
    The answer is a stream of server-sent events, which lasts as long as the client stays.

    Attributes:
        events: A `pacserve.web.bodies.events.Events`.
    """

    events: Events


Answer = FileAnswer | RedirectAnswer | DocumentAnswer | StreamAnswer | EventsAnswer
