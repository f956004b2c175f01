"""
Reads large JSON objects of other hosts in steps, so that a host that sends much does not stop the reactor.

What json.loads does with 30 MB can't be interrupted, not even in a thread: it holds the interpreter all the time.  Here each step reads some hundred
entries, and no more of the text is unpacked than the step needs.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from abc import abstractmethod
from collections.abc import Collection, Generator, Iterator, Mapping
from typing import Any, Protocol

from pacserve.errors import RemoteProtocolError

# Bytes of text that are unpacked at once, and at the same time the most that one value within a field may take.
PIECE = 64 << 10
# Entries of a step, of which each takes some 3 us with the check of its name.
_ENTRIES = 256
# As many entries in the form in which nearly all come, which are read together; the others are read one by one.
_SIZES = re.compile(r'(?:[ \t\n\r]*"[^"\\]*"[ \t\n\r]*:[ \t\n\r]*(?:0|[1-9][0-9]{0,15})[ \t\n\r]*,){1,256}')
_NAMES = re.compile(r'(?:[ \t\n\r]*"[^"\\]*"[ \t\n\r]*,){1,256}')
_BLANK = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class LargeField(Protocol):
    """Takes the entries of a field that may be large, as they are read."""

    @abstractmethod
    def begin(self, opening: str) -> None:
        """Begins the field, anew where it comes twice; `opening` is the first character of its value."""

    @abstractmethod
    def take(self, entries: Any) -> None:
        """Takes the next entries: some members of an object, or some items of a list."""


class Text:
    """
    The text of a body as it was transferred, unpacked piece by piece.

    Args:
        encoding: The Content-Encoding, None for none.
        limit: The most bytes of text.
        where: The name of the message, with which the text of an error begins.

    Attributes:
        where: The name of the message.
        size: The bytes of text that were unpacked so far.

    Raises:
        RemoteProtocolError: Another encoding than gzip.
    """

    def __init__(self, body: bytes, encoding: str | None, limit: int, where: str) -> None:
        self.size = 0
        self._limit = limit
        self.where = where
        coding = (encoding or "").strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip"):
            raise RemoteProtocolError(f"{where} in an encoding that was not asked for")
        self._pieces = _plain(body) if coding in ("", "identity") else _unpacked(body, where)

    def decoded(self) -> Iterator[str]:
        """
        Yields the text in pieces of at most `PIECE` characters.

        Raises:
            RemoteProtocolError: It is not packed as it claims, too long, or not encoded as JSON may be.
        """
        decoder: codecs.IncrementalDecoder | None = None
        try:
            for piece in self._pieces:
                self.size += len(piece)
                if self.size > self._limit:
                    raise RemoteProtocolError(f"{self.where} is over {self._limit >> 20} MiB")
                if decoder is None and piece:
                    decoder = codecs.getincrementaldecoder(json.detect_encoding(piece))("surrogatepass")
                if decoder is not None:
                    yield decoder.decode(piece)
            if decoder is not None:
                yield decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise RemoteProtocolError(f"{self.where} is not JSON") from None


class Scanner:
    """
    Reads one JSON object.

    Args:
        small: The fields whose values are read as a whole.
        large: The fields whose entries are taken as they come, where they are objects or lists.  All other fields are read over.
        most: Entries that all fields may have together, those that are read over among them: each takes some 3 us.

    Attributes:
        entries: How many were read so far.
    """

    def __init__(self, text: Text, small: Collection[str], large: Mapping[str, LargeField], most: int) -> None:
        self._pieces = text.decoded()
        self._small = small
        self._large = large
        self._most = most
        self._where = text.where
        self.entries = 0
        self._text = ""
        self._at = 0
        self._ended = False

    def steps(self) -> Generator[None, None, dict[str, Any]]:
        """
        Reads one step after the other; returns the small fields, of one that comes twice the last.

        Raises:
            RemoteProtocolError: The text is no JSON object, nested too deeply, or has a value that is too long to read, or too many of them.
        """
        small: dict[str, Any] = {}
        try:
            is_object = self._peek() == "{"
            if is_object:
                yield from self._members(small)
            else:
                self._value()
            yield from self._end()
        except (ValueError, RecursionError):
            raise RemoteProtocolError(f"{self._where} is not JSON") from None
        if not is_object:
            raise RemoteProtocolError(f"{self._where} is no JSON object")
        return small

    def _members(self, small: dict[str, Any]) -> Iterator[None]:
        """Reads the members of the outer object."""
        self._at += 1
        if self._peek() == "}":
            self._at += 1
            return
        more = True
        while more:
            name = self._name()
            opening, large = self._peek(), self._large.get(name)
            if large is not None:
                large.begin(opening)
            if opening in ("{", "[") and name not in self._small:
                for entries in self._entries(opening):
                    if large is not None:
                        large.take(entries)
                    yield
            else:
                value = self._value()
                if name in self._small:
                    small[name] = value
                else:
                    self._count(1)
                yield
            more = self._goes_on("}")

    def _count(self, entries: int) -> None:
        self.entries += entries
        if self.entries > self._most:
            raise RemoteProtocolError(f"{self._where} has more than {self._most:,} entries")

    def _entries(self, opening: str) -> Iterator[Any]:
        """Yields the entries of an object or a list, some at a time."""
        usual, closing = (_SIZES, "}") if opening == "{" else (_NAMES, "]")
        self._at += 1
        if self._peek() == closing:
            self._at += 1
            return
        while True:
            self._fill()
            match = usual.match(self._text, self._at)
            if match is not None:
                self._count(self._text.count(",", self._at, match.end()))  # of a name that comes twice both
                entries = json.loads(opening + self._text[self._at : match.end() - 1] + closing)
                self._at = match.end()
                yield entries
                continue
            read = self._some_members if opening == "{" else self._some_items
            entries, more = read()
            yield entries
            if not more:
                return

    def _some_members(self) -> tuple[dict[str, Any], bool]:
        """Reads some members of an object one by one; returns them, and whether more follow."""
        members: dict[str, Any] = {}
        for _ in range(_ENTRIES):
            self._count(1)
            name = self._name()
            members[name] = self._value()
            if not self._goes_on("}"):
                return members, False
        return members, True

    def _some_items(self) -> tuple[list[Any], bool]:
        """Reads some items of a list one by one; returns them, and whether more follow."""
        items: list[Any] = []
        for _ in range(_ENTRIES):
            self._count(1)
            items.append(self._value())
            if not self._goes_on("]"):
                return items, False
        return items, True

    def _name(self) -> str:
        """Reads the name of a member, and the colon after it."""
        if self._peek() != '"':
            raise ValueError
        self._fill()
        name, self._at = _DECODER.raw_decode(self._text, self._at)
        if self._peek() != ":":
            raise ValueError
        self._at += 1
        return str(name)

    def _value(self) -> Any:
        """Reads one value as a whole."""
        self._peek()
        self._fill()
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        if self._at == len(self._text) and not self._ended:  # the rest of a number may follow
            raise ValueError
        return value

    def _goes_on(self, closing: str) -> bool:
        """Reads what comes after an entry: a comma, or the end."""
        after = self._peek()
        if after not in (",", closing):
            raise ValueError
        self._at += 1
        return after == ","

    def _peek(self) -> str:
        """Returns the next character that is no blank."""
        self._at = self._blank()
        if self._at == len(self._text):
            self._fill()
            self._at = self._blank()
        return self._text[self._at : self._at + 1] or _nothing()

    def _end(self) -> Iterator[None]:
        """Makes sure that nothing but blanks follows."""
        while True:
            self._fill()
            self._at = self._blank()
            if self._at < len(self._text):
                raise ValueError
            if self._ended:
                return
            yield

    def _blank(self) -> int:
        match = _BLANK.match(self._text, self._at)
        return self._at if match is None else match.end()

    def _fill(self) -> None:
        """Makes sure that `PIECE` characters lie ahead, or all that are left."""
        while not self._ended and len(self._text) - self._at < PIECE:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
            else:
                self._text, self._at = self._text[self._at :] + piece, 0


def _plain(body: bytes) -> Iterator[bytes]:
    for at in range(0, len(body), PIECE):
        yield body[at : at + PIECE]


def _unpacked(body: bytes, where: str) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    packed = memoryview(body)
    try:
        piece = unpacker.decompress(packed[:PIECE], PIECE)
        at = PIECE
        while piece or unpacker.unconsumed_tail or (at < len(packed) and not unpacker.eof):
            yield piece
            tail = unpacker.unconsumed_tail
            if not tail:
                tail, at = bytes(packed[at : at + PIECE]), at + PIECE
            piece = unpacker.decompress(tail, PIECE)
    except zlib.error:
        raise RemoteProtocolError(f"{where} is not gzip as it claims") from None
    if not unpacker.eof:
        raise RemoteProtocolError(f"{where} ends too early")


def _nothing() -> str:
    raise ValueError
