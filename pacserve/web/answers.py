"""Answers to requests: values, which the router turns into responses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pacserve.packages.files import HeldFile
from pacserve.web.bodies.arriving import ArrivingFile, ArrivingReader
from pacserve.web.bodies.events import Events


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """
    A local file is sent.

    Attributes:
        held: The open file, which whoever has the answer closes.
        origin: Where the file is from, for the access log.
        named: True if the client is told the name of the file, since the URL does not end with it.
        ranges: False if the client gets all of it even where it asks for a part: the part that it has may be wrong.
    """

    held: HeldFile
    origin: str = "cache"
    named: bool = False
    ranges: bool = True


@dataclass(frozen=True, slots=True)
class RedirectAnswer:
    """
    The client is redirected (307) to a host that has the file.

    Attributes:
        origin: For the access log: `peer 10.0.0.3:15678` or `mirror https://example.org/core/os/x86_64`.
        size: The bytes that the host stated; None where it did not.
    """

    url: str
    origin: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class SizeAnswer:
    """
    A client that asked by HEAD is told that there is such a file, of which nothing is fetched.

    Attributes:
        origin: The host that has it, for the access log.
        size: The bytes that the host stated; None where it did not.
    """

    origin: str
    size: int | None


@dataclass(frozen=True, slots=True)
class DocumentAnswer:
    """
    A document that stands in memory is sent.

    Attributes:
        headers: Everything but Content-Length, which is set from the body; for 304 the body is empty.
        quiet: True for what peers and open pages ask again and again in the background, which is logged at debug only.
        origin: Where it is from, for the access log; empty for what was made here.
    """

    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/plain; charset=utf-8"),)
    status: int = 200
    quiet: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """
    A file is sent that may still be arriving.

    Attributes:
        file: Knows its source as soon as there is one.
        origin: How it arrives: `downloaded`, `relayed`.
        reader: Reads the file for this answer, which whoever has the answer closes; None for one that is opened when the answer is sent.
        ranges: False if the client gets all of it even where it asks for a part: the part that it has may be wrong.
    """

    file: ArrivingFile
    origin: str
    reader: ArrivingReader | None = field(default=None, compare=False)
    ranges: bool = True

    def opened(self) -> StreamAnswer:
        """
        Returns this answer with the file opened, as long as another one can still be given in its place.

        Raises:
            OSError: It can't be opened: too many files are open, say.
        """
        return self if self.reader is not None else replace(self, reader=self.file.reader())


@dataclass(frozen=True, slots=True)
class PassedAnswer:
    """
    The answer of another host is passed on as it comes.

    Attributes:
        status: 200, 206 or 304, or another one without a body.
        headers: Those that are passed on, without Content-Length.
        length: Bytes of the body; None where they are not known.
        reader: Reads the body, from its beginning on; whoever has the answer closes it.  None where there is no body.
        origin: The host, for the access log.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    length: int | None
    reader: ArrivingReader | None
    origin: str


@dataclass(frozen=True, slots=True)
class EventsAnswer:
    """Server-sent events are sent for as long as the client stays."""

    events: Events


Answer = FileAnswer | RedirectAnswer | SizeAnswer | DocumentAnswer | StreamAnswer | PassedAnswer | EventsAnswer


def discard(answer: Answer) -> None:
    """Closes what an answer holds open that nobody is sent."""
    if isinstance(answer, FileAnswer):
        answer.held.file.close()
    elif isinstance(answer, (StreamAnswer, PassedAnswer)) and answer.reader is not None:
        answer.reader.close()
