"""
InRelease and Release: what they state of the indexes of a suite (wiki.debian.org/DebianRepository/Format).  Pure.

Nothing is copied out of the text: a file is looked for in it, since a release has a thousand lines of which apt asks for ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from hashlib import blake2b

SIZE_LIMIT = 16 << 20
"""Bytes of a release: Debian's has 150 KB, and no list of a hundred architectures comes near that."""

_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = b"\n-----BEGIN PGP SIGNATURE-----"
_BLANK_LINE = re.compile(rb"\n\r?\n")
# Any line of a signed text may have this before it, and one that begins with a hyphen has (RFC 9580, 7.2).
_ESCAPE = re.compile(rb"^- ", re.MULTILINE)
# Bytes of the armor's headers, which name the digest (RFC 9580, 7).
_ARMOR_HEADERS = 4096
_FIELD = re.compile(rb"^(?P<name>[A-Za-z0-9-]{1,64}):[ \t]*(?P<value>[^\r\n]*)", re.MULTILINE)
# The first line of a section's list, and every line that does not belong to it.
_SECTION = re.compile(rb"^SHA256:[ \t]*\r?\n", re.MULTILINE)
_END = re.compile(rb"^[^ \t]", re.MULTILINE)
_LINE = re.compile(rb"[ \t]+(?P<sha256>[0-9a-fA-F]{64})[ \t]+(?P<size>[0-9]{1,15})[ \t]+(?P<path>[^ \t\r\n]{1,1024})[ \t]*\r?\Z")
# A text without one of these says nothing of any file.
_LISTS = frozenset({b"MD5Sum", b"SHA1", b"SHA256", b"SHA512"})
_FIELDS_LIMIT = 64
# Lines that begin a field, or are escaped: the daemon does nothing else while it reads them, and a text of 16 MB has room for five millions.
_READ_LIMIT = 1 << 16
_LONGEST_DATE = 64
# Lines that are looked at for one file.  Hundreds of indexes of a suite are empty, and so have the same digest.
_LINES_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """
    A line of a release.

    Attributes:
        path: From the folder of the release on, as it is written, without `./` before it.
    """

    path: str
    size: int
    sha256: bytes


@dataclass(frozen=True)
class Release:
    """
    A release, with a look into its list of indexes.

    Attributes:
        date: When it was made, in seconds since the epoch; None where it does not say so.
        by_hash: True if its indexes can be asked for by their digests (`Acquire-By-Hash: yes`).
        data: All of it, as it was fetched.
        text: The text that lists the indexes: the same, but where it is signed without the escapes of the armor.
        begin: Where the list of SHA-256 digests begins in the text; it is empty where there is none.
        end: Where it ends.
    """

    date: int | None
    by_hash: bool
    data: bytes
    text: bytes
    begin: int
    end: int

    def named(self, path: str) -> IndexEntry | None:
        """Returns the line of an index; None where there is none."""
        try:
            encoded = path.encode()
        except UnicodeEncodeError:
            return None
        for written in (b" " + encoded, b" ./" + encoded, b"\t" + encoded, b"\t./" + encoded):
            for line in self._lines_with(written):
                entry = _entry(line)
                if entry is not None and entry.path == path:
                    return entry
        return None

    def digested(self, folder: str, sha256: bytes) -> IndexEntry | None:
        """Returns the line of an index with this digest in a folder below that of the release; None where there is none."""
        digest = sha256.hex().encode("ascii")
        for written in (digest, digest.upper()):
            for line in self._lines_with(written):
                entry = _entry(line)
                if entry is not None and entry.sha256 == sha256 and entry.path.rpartition("/")[0] == folder:
                    return entry
        return None

    @cached_property
    def digest(self) -> bytes:
        """Tells this release from all others."""
        return blake2b(self.data, digest_size=16).digest()

    def _lines_with(self, text: bytes) -> Iterator[bytes]:
        """Gives the lines of the list that have a text in them, at most as many as a hostile one may cost."""
        at = self.begin
        for _ in range(_LINES_LIMIT):
            at = self.text.find(text, at, self.end)
            if at < 0:
                return
            first = self.text.rfind(b"\n", self.begin, at) + 1 or self.begin
            last = self.text.find(b"\n", at, self.end)
            last = self.end if last < 0 else last
            yield self.text[first:last]
            at = last


def parse_release(data: bytes) -> Release | None:
    """Returns what an InRelease or a Release states; None for what is none of them, such as the page of a portal that asks for a password."""
    if len(data) > SIZE_LIMIT:
        return None
    begin, end = 0, len(data)
    if data.startswith(_SIGNED):
        end = data.find(_SIGNATURE) + 1
        headers = _BLANK_LINE.search(data, 0, _ARMOR_HEADERS)
        if headers is None or headers.end() > end:
            return None
        begin = headers.end()
        if _ESCAPE.search(data, begin, end):
            text, escapes = _ESCAPE.subn(b"", data[begin:end], _READ_LIMIT)
            return None if escapes == _READ_LIMIT else _parsed(data, text)
    return _parsed(data, data, begin, end)


def _parsed(data: bytes, text: bytes, begin: int = 0, end: int | None = None) -> Release | None:
    end = len(text) if end is None else end
    fields: dict[bytes, bytes] = {}
    for read, match in enumerate(_FIELD.finditer(text, begin, end)):
        fields.setdefault(match["name"], match["value"].strip())
        if len(fields) > _FIELDS_LIMIT or read > _READ_LIMIT:
            return None
    if not fields or not _LISTS & fields.keys() or not _FIELD.match(text, begin, end):
        return None
    section = _SECTION.search(text, begin, end)
    first = last = end
    if section is not None:
        first = section.end()
        after = _END.search(text, first, end)
        last = end if after is None else after.start()
    by_hash = fields.get(b"Acquire-By-Hash", b"").lower() == b"yes"
    return Release(_date(fields.get(b"Date", b"")), by_hash, data, text, first, last)


def _date(value: bytes) -> int | None:
    if len(value) > _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(value.decode("ascii"))
        return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _entry(line: bytes) -> IndexEntry | None:
    match = _LINE.match(line)
    if match is None:
        return None
    path = match["path"].decode("utf-8", "surrogateescape").removeprefix("./")
    if not path or not path.isprintable() or any(part in ("", ".", "..") for part in path.split("/")):
        return None
    return IndexEntry(path, int(match["size"]), bytes.fromhex(match["sha256"].decode("ascii")))
