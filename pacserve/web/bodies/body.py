"""Response bodies: files of a package cache, with ranges and preconditions, and documents that stand in memory."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from twisted.web.http import Request

from pacserve.errors import RequestError, plain_reason
from pacserve.http.conditional import decide
from pacserve.http.validators import format_date
from pacserve.packages.files import HeldFile
from pacserve.web.bodies.arriving import ArrivingFile, ArrivingReader
from pacserve.web.bodies.copying import CopyingProducer
from pacserve.web.bodies.following import FollowingProducer
from pacserve.web.bodies.pacing import HeldReader, Pacing
from pacserve.web.bodies.sendfile import SendfileProducer, sendfile_transport
from pacserve.web.server.responses import Responder, header_getter, knows_chunks

SINGLE_WRITE_BYTES = 48 * 1024
"""Bytes up to which a body is sent with its head in one write, which is cheaper than sendfile(2) for so few."""


_RANGES = "Accept-Ranges: bytes\r\n"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9@._+:~-]+\Z")


class PassedBytes(NamedTuple):
    """
    The body of another host's answer.

    Attributes:
        length: Bytes; None where they are not known.
        reader: Reads it from its beginning on; None where there is none.
    """

    length: int | None
    reader: ArrivingReader | None


@dataclass(frozen=True, slots=True)
class Sent:
    """
    A response that was sent.

    Attributes:
        size: The bytes of its body, for a redirect those of the file behind it; None where they are not known.
        complete: False where the connection ended before all of it was sent.
    """

    status: int
    size: int | None
    complete: bool = True


async def send_file(
    request: Request, responder: Responder, held: HeldFile, pacing: Pacing | None = None, *, named: bool = False, ranges: bool = True
) -> Sent:
    """
    Answers a GET or HEAD with a file, and closes it whatever happens.

    Where the file turns out to be shorter or can't be read when the head was sent already, the connection is aborted: the length was promised.

    Args:
        pacing: Limits how fast it is sent; None for no limit.
        named: True if the name of the file is stated (RFC 6266), where it needs no quoting: pacman 6 takes it as it stands.
        ranges: False if all of it is sent even where a part is asked for.

    Raises:
        RequestError: 500, the file can't be read, and nothing was sent yet.
    """
    try:
        conditions = _conditions(request, without=() if ranges else ("Range",))
        decision = decide(request.method.decode("ascii"), conditions, held.size, held.modified, held.etag)
        fields = f"Last-Modified: {format_date(held.modified)}\r\nETag: {held.etag}\r\n{_RANGES if ranges else ''}"
        if named and _PLAIN_NAME.match(held.name):
            fields += f'Content-Disposition: attachment; filename="{held.name}"\r\n'
        if decision.status == 304:
            responder.send(request, 304, fields)
            return Sent(304, 0)
        if decision.status == 416:
            responder.send(request, 416, f"{fields}Content-Range: bytes */{held.size}\r\nContent-Length: 0\r\n")
            return Sent(416, 0)
        first, length = 0, held.size
        if decision.range is not None:
            first, length = decision.range.first, decision.range.length
            fields += f"Content-Range: {decision.range.content_range(held.size)}\r\n"
        fields += f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n"
        if request.method == b"HEAD" or not length:
            responder.send(request, decision.status, fields)
            return Sent(decision.status, 0)
        if length <= SINGLE_WRITE_BYTES:
            responder.send(request, decision.status, fields, _read_at_once(held, first, length))
            return Sent(decision.status, length)
        responder.begin(request, decision.status, fields)
        if pacing is not None:  # the kernel would send as fast as it can
            return await _follow(request, decision.status, FollowingProducer(request, HeldReader(held), first, length, pacing))
        return await _send_long(request, decision.status, _file_producer(request, held.file.fileno(), first, length), length)
    finally:
        held.file.close()


async def send_stream(
    request: Request,
    responder: Responder,
    file: ArrivingFile,
    pacing: Pacing | None = None,
    reader: ArrivingReader | None = None,
    *,
    ranges: bool = True,
) -> Sent:
    """
    Answers a GET or HEAD with a file that may still be arriving.

    Where the file fails when the head was sent already, the connection is aborted.  A file whose size is not known yet is sent without ranges and in
    chunks: if its end were that of the connection, a daemon that is killed would seem to have sent all.

    Args:
        pacing: Limits how fast it is sent; None for no limit.
        reader: Reads the file; it is closed whatever happens.  Without it one is opened as soon as the body is sent.
        ranges: False if all of it is sent even where a part is asked for.

    Raises:
        RequestError: 505, the client knows no chunks (`whole` finds out the size), and nothing was sent yet.
    """
    try:
        decided = _begin_stream(request, responder, file, ranges=ranges)
        if isinstance(decided, Sent):
            return decided
        if reader is None:
            reader = file.reader()
        responder.begin(request, decided.status, decided.fields)
        return await _follow(
            request, decided.status, FollowingProducer(request, reader, decided.first, decided.length, pacing, chunked=decided.chunked)
        )
    finally:
        if reader is not None:
            reader.close()


@dataclass(frozen=True, slots=True)
class _StreamHead:
    """
    The head of a response with a file that may still be arriving, and the part of it that is sent.

    Attributes:
        length: Bytes; None for everything up to the end of the file.
    """

    status: int
    fields: str
    first: int
    length: int | None
    chunked: bool


def _begin_stream(request: Request, responder: Responder, file: ArrivingFile, *, ranges: bool) -> Sent | _StreamHead:
    """Returns the head of the response; sends it where no body follows."""
    # All three may become known while the file is sent; what the head says is decided once.
    size, modified, etag = file.size, file.modified, file.etag
    fields = "".join(
        [
            f"Last-Modified: {format_date(modified)}\r\n" if modified is not None else "",
            f"ETag: {etag}\r\n" if etag else "",
            "Content-Type: application/octet-stream\r\n",
        ]
    )
    status, first, length = 200, 0, size
    chunked = size is None and knows_chunks(request)
    if size is not None:
        unknown = () if modified is not None else ("If-Modified-Since",)
        conditions = _conditions(request, without=unknown if ranges else ("Range", *unknown))
        decision = decide(request.method.decode("ascii"), conditions, size, modified or 0, etag or _unknown_tag())
        status = decision.status
        if status == 304:
            responder.send(request, 304, fields)
            return Sent(304, 0)
        if status == 416:
            responder.send(request, 416, f"{fields}Content-Range: bytes */{size}\r\nContent-Length: 0\r\n")
            return Sent(416, 0)
        if decision.range is not None:
            first, length = decision.range.first, decision.range.length
            fields += f"Content-Range: {decision.range.content_range(size)}\r\n"
        fields += f"{_RANGES if ranges else ''}Content-Length: {length}\r\n"
    elif chunked:
        fields += "Transfer-Encoding: chunked\r\n"
    elif request.method != b"HEAD":
        raise _no_chunks()
    if request.method == b"HEAD":
        responder.send(request, status, fields)
        return Sent(status, 0)
    return _StreamHead(status, fields, first, length, chunked)


async def send_passed(request: Request, responder: Responder, status: int, fields: str, body: PassedBytes, pacing: Pacing | None = None) -> Sent:
    """
    Answers a GET or HEAD with the answer of another host, and closes the reader of its body whatever happens.

    A body of unknown length is sent in chunks, and to HTTP/1.0, which knows none, not at all: its end would be that of the connection, so that what
    was cut off would seem to be the whole.

    Args:
        fields: The header lines without Content-Length.
        pacing: Limits how fast it is sent; None for no limit.

    Raises:
        RequestError: 505, the client knows no chunks, and nothing was sent yet.
    """
    try:
        chunked = body.length is None and body.reader is not None
        if chunked and not knows_chunks(request):
            raise _no_chunks()
        if chunked:
            fields += "Transfer-Encoding: chunked\r\n"
        elif status != 304:
            fields += f"Content-Length: {body.length or 0}\r\n"
        if body.reader is None or request.method == b"HEAD":
            responder.send(request, status, fields)
            return Sent(status, 0)
        responder.begin(request, status, fields)
        return await _follow(request, status, FollowingProducer(request, body.reader, 0, body.length, pacing, chunked=chunked))
    finally:
        if body.reader is not None:
            body.reader.close()


async def send_document(request: Request, responder: Responder, status: int, fields: str, body: bytes) -> Sent:
    """
    Answers a GET or HEAD with a body that stands in memory; for a slow client only a piece of it is copied.

    Args:
        fields: The header lines without Content-Length.
    """
    if status != 304:
        fields += f"Content-Length: {len(body)}\r\n"
    if request.method == b"HEAD" or status == 304 or len(body) <= SINGLE_WRITE_BYTES:
        responder.send(request, status, fields, body)
        return Sent(status, 0 if request.method == b"HEAD" else len(body))
    responder.begin(request, status, fields)
    return await _send_long(request, status, CopyingProducer(request, lambda offset, size: body[offset : offset + size], 0, len(body)), len(body))


def _no_chunks() -> RequestError:
    return RequestError(505, "the length of this file is not known: ask for it by HTTP/1.1")


def _read_at_once(held: HeldFile, first: int, length: int) -> bytes:
    try:
        data = os.pread(held.file.fileno(), length, first)
    except OSError as error:
        raise RequestError(500, f"{held.name} can't be read: {plain_reason(error)}") from error
    if len(data) != length:
        raise RequestError(500, f"{held.name} has become shorter while it was opened")
    return data


def _file_producer(request: Request, descriptor: int, first: int, length: int) -> SendfileProducer | CopyingProducer:
    transport = sendfile_transport(request)
    if transport is not None:
        return SendfileProducer(request.channel, transport, descriptor, first, length)
    return CopyingProducer(request, lambda offset, size: os.pread(descriptor, size, offset), first, length)


def _conditions(request: Request, without: Collection[str]) -> Callable[[str], str | None]:
    """Returns the lookup of a request's headers, without those that can't be kept to."""
    header = header_getter(request)
    return (lambda name: None if name in without else header(name)) if without else header


def _unknown_tag() -> str:
    """Returns an entity tag that no condition of a client can match."""
    return f'"{secrets.token_hex(8)}"'


async def _follow(request: Request, status: int, producer: FollowingProducer) -> Sent:
    request.notifyFinish().addErrback(lambda _: producer.stopProducing())
    await producer.run()
    if producer.complete:
        request.finish()
    return Sent(status, producer.sent, producer.complete)


async def _send_long(request: Request, status: int, producer: SendfileProducer | CopyingProducer, length: int) -> Sent:
    request.notifyFinish().addErrback(lambda _: producer.stopProducing())
    await producer.run()
    if producer.left:
        return Sent(status, length - producer.left, complete=False)
    request.finish()
    return Sent(status, length)
