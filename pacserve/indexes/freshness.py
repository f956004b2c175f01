"""Which answer of a mirror is worth more than the copy of a database that this host has (RFC 9110, 13; RFC 9111, 4.3).  Rules only."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pacserve.fetch.answers import AnswerHead
from pacserve.http.validators import believed_date, format_date
from pacserve.packages.files import SIGNATURE_LIMIT

SIGNATURE = ".sig"
# Bytes.  pacman itself takes no more (libalpm, be_sync.c).
DATABASE_LIMIT = 128 << 20
_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,200}"\Z')

_DATABASE = re.compile(r"\.(?:db|files)(?:\.tar(?:\.[A-Za-z0-9]+)?)?\Z")
# What the compressed archives that repo-add(8) makes begin with, and the frame that some zstd compressors put first.
_MAGIC = (b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"BZh", b"\x04\x22\x4d\x18", b"LZIP", b"\x89LZO", b"LRZI", b"\x1f\x9d")
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
# An archive that is not compressed (POSIX.1-1988 ustar and everything since).
_TAR, _TAR_OFFSET = b"ustar", 257


@dataclass(frozen=True, slots=True)
class Copy:
    """
    A database, or something else of a repository, as this host keeps it.

    Attributes:
        data: Tells its file from others of the same name, earlier and later; 16 hexadecimal digits.
        size: Bytes.
        sha256: In hexadecimal.
        mirror: Who gave it, or said last that it has the same.
        modified: That mirror's Last-Modified in seconds since the epoch; None where it said nothing that can be believed.
        etag: That mirror's strong entity tag, or empty.
        belongs: For a signature the digest of what it was fetched for; otherwise empty.
        unsigned: True if that mirror said that there is no signature of it.
    """

    repo: str
    arch: str
    name: str
    data: str
    size: int
    sha256: str
    mirror: str
    modified: int | None = None
    etag: str = ""
    belongs: str = ""
    unsigned: bool = False


class Verdict(enum.Enum):
    """What an answer is worth."""

    NEW = "new"
    """It is to be read."""
    SAME = "same"
    """The mirror has what the copy is."""
    OLDER = "older"
    """Nothing shows that what it has is as new as what this host has seen already."""
    ABSENT = "absent"
    FAILED = "failed"


def conditions(copy: Copy | None, mirror: str) -> dict[str, str]:
    """Returns the headers that ask a mirror for nothing but news.  An entity tag means nothing to another mirror than its own."""
    headers: dict[str, str] = {}
    if copy is not None and copy.modified is not None:
        headers["If-Modified-Since"] = format_date(copy.modified)
    if copy is not None and copy.etag and copy.mirror == mirror:
        headers["If-None-Match"] = copy.etag
    return headers


def judge(answer: AnswerHead, mirror: str, copy: Copy | None, newest: int | None, limit: int, now: float) -> Verdict:  # noqa: PLR0911
    """
    What an answer is worth.

    Args:
        newest: The latest Last-Modified of this file that this host has seen; None where any will do.
        limit: The most bytes.
        now: Seconds since the epoch.
    """
    if answer.status in (404, 410):
        return Verdict.ABSENT
    modified, etag = date_of(answer, now), etag_of(answer)
    if answer.status == 304 and copy is not None:
        # A server that compares dates by order says 304 for an older file as well.
        by_date = modified == copy.modified if modified is not None else mirror == copy.mirror
        return Verdict.SAME if by_date or (etag and etag == copy.etag) else Verdict.OLDER
    if answer.status != 200 or (answer.length is not None and answer.length > limit):
        return Verdict.FAILED
    if copy is not None and answer.length == copy.size and ((etag and etag == copy.etag) or (modified is not None and modified == copy.modified)):
        return Verdict.SAME
    if newest is None:
        return Verdict.NEW
    if modified is None:
        return Verdict.NEW if copy is not None and mirror == copy.mirror else Verdict.OLDER
    return Verdict.OLDER if modified < newest else Verdict.NEW


def date_of(answer: AnswerHead, now: float) -> int | None:
    """Returns the Last-Modified of an answer in seconds since the epoch; None where there is none, or none that can be believed."""
    return believed_date((answer.header("Last-Modified") or "").strip(), now)


def etag_of(answer: AnswerHead) -> str:
    """Returns the strong entity tag of an answer, or an empty string."""
    return believed_etag((answer.header("ETag") or "").strip())


def believed_etag(text: str) -> str:
    """A strong entity tag of a length that can be sent back; an empty string for everything else."""
    return text if _ETAG.match(text) else ""


def limit_of(name: str) -> int:
    """Returns the most bytes of a file of this name."""
    return SIGNATURE_LIMIT if name.endswith(SIGNATURE) else DATABASE_LIMIT


def is_database(name: str) -> bool:
    """Returns whether a file of this name is an archive."""
    return _DATABASE.search(name) is not None


def begins_database(data: bytes) -> bool | None:
    """Returns whether a database may begin like this; None where that can't be said yet.  A page that asks for a password does not."""
    if data.startswith(_MAGIC) or _SKIPPABLE.match(data) is not None:
        return True
    if len(data) < _TAR_OFFSET + len(_TAR):
        return None
    return data.startswith(_TAR, _TAR_OFFSET)


_TYPES: Mapping[str, tuple[type, ...]] = {
    "repo": (str,),
    "arch": (str,),
    "name": (str,),
    "data": (str,),
    "size": (int,),
    "sha256": (str,),
    "mirror": (str,),
    "modified": (int, type(None)),
    "etag": (str,),
    "belongs": (str,),
    "unsigned": (bool,),
}
_DATA = re.compile(r"[0-9a-f]{16}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_LATEST = 253_402_300_799
_MIRROR_LIMIT = 1000


def copy_from(fields: object) -> Copy | None:
    """A copy from what was read about it, nothing of which is believed; None where it is not of the form that `Copy` has."""
    if not isinstance(fields, dict) or fields.keys() != _TYPES.keys():
        return None
    if any(type(fields[name]) not in types for name, types in _TYPES.items()):
        return None
    copy = Copy(**fields)
    well = (
        _DATA.match(copy.data)
        and _SHA256.match(copy.sha256)
        and 0 <= copy.size <= DATABASE_LIMIT
        and len(copy.mirror) <= _MIRROR_LIMIT
        and (copy.modified is None or 0 <= copy.modified <= _LATEST)
        and copy.etag == believed_etag(copy.etag)
        and (not copy.belongs or _SHA256.match(copy.belongs))
    )
    return copy if well else None
