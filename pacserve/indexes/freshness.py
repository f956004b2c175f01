"""The worth of a mirror's answer, compared with the copy of an index that this host has (RFC 9110, 13; RFC 9111, 4.3).  Rules only."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pacserve.fetch.answers import AnswerHead
from pacserve.http.validators import CLOCK_TOLERANCE, believed_date, format_date
from pacserve.sources.upstreams import REFUSALS

_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,200}"\Z')


@dataclass(frozen=True, slots=True)
class Copy:
    """
    An index, or another file of a repository, as this host keeps it.

    Attributes:
        data: Tells its file from others of the same name, earlier and later; 16 hexadecimal digits.
        size: Bytes.
        sha256: In hexadecimal.
        mirror: The identity of the mirror that gave it, or said last that it has the same.
        modified: That mirror's Last-Modified in seconds since the epoch; None where it said nothing that can be.
        etag: That mirror's strong entity tag, or empty.
        belongs: For a signature the digest of the index that it was fetched for; otherwise empty.
        unsigned: True if that mirror said that there is no signature of it.
        built: When the newest package in it was built, in seconds since the epoch; None where that is not known.
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
    built: int | None = None

    @property
    def oldest(self) -> int | None:
        """The earliest time at which it may have been made, in seconds since the epoch; None where that is not known."""
        return None if self.built is None else self.built - CLOCK_TOLERANCE

    @property
    def newest(self) -> int | None:
        """The latest time of which it is known that the index is as new, in seconds since the epoch; None where there is none."""
        return self.oldest if self.modified is None else self.modified


@dataclass(frozen=True, slots=True)
class Known:
    """
    The facts that an answer is compared with.

    Attributes:
        copy: The copy that this host has.
        newest: The latest Last-Modified of the file that this host has seen, in seconds since the epoch; None where any will do.
        limit: Bytes that the file may have.
        forced: True if the client demands the file, whatever dates say (`pacman -Syy`).
    """

    copy: Copy | None
    newest: int | None
    limit: int
    forced: bool = False


class Verdict(enum.Enum):
    """The worth of an answer."""

    NEW = "new"
    """It is to be read."""
    SAME = "same"
    """The mirror has the file that the copy was made of."""
    OLDER = "older"
    """Nothing shows that the mirror's file is as new as the newest that this host has seen."""
    UNDATED = "undated"
    """Nothing is said of how old the mirror's file is: what is in it has to tell."""
    ABSENT = "absent"
    """The mirror has no such file."""
    FAILED = "failed"
    """The answer is of no use."""


def conditions(copy: Copy | None, mirror: str, *, forced: bool = False) -> dict[str, str]:
    """
    Returns the headers that ask a mirror for nothing but news.  An entity tag means nothing to another mirror than its own.

    Args:
        forced: True if no date may keep the file from being sent.
    """
    headers: dict[str, str] = {}
    if copy is not None and copy.modified is not None and not forced:
        headers["If-Modified-Since"] = format_date(copy.modified)
    if copy is not None and copy.etag and copy.mirror == mirror:
        headers["If-None-Match"] = copy.etag
    return headers


def judge(answer: AnswerHead, mirror: str, known: Known, now: float) -> Verdict:  # noqa: PLR0911
    """
    Returns the worth of an answer.

    Args:
        mirror: The identity of the mirror that gave it.
        now: Seconds since the epoch.
    """
    copy = known.copy
    own = copy is not None and mirror == copy.mirror
    if answer.status in REFUSALS:
        return Verdict.ABSENT
    modified = date_of(answer, now)
    if own and copy is not None and is_impossible(modified, copy.built):
        modified = None
    etag = etag_of(answer, now)
    if answer.status == 304 and copy is not None:
        # A server that compares dates by order says 304 for an older file as well.
        by_date = modified == copy.modified if modified is not None else own
        if by_date or (etag and etag == copy.etag):
            return Verdict.SAME
        return Verdict.UNDATED if modified is None and answer.header("Last-Modified") else Verdict.OLDER
    if answer.status != 200 or (answer.length is not None and answer.length > known.limit):
        return Verdict.FAILED
    if known.newest is not None and modified is not None and modified < known.newest:
        return Verdict.OLDER
    if copy is not None and answer.length == copy.size and _is_same(etag, modified, copy, own=own, forced=known.forced):
        return Verdict.SAME
    # Without a date only the mirror of the copy is trusted not to have gone back.
    return Verdict.UNDATED if known.newest is not None and modified is None and not own else Verdict.NEW


def _is_same(etag: str, modified: int | None, copy: Copy, *, own: bool, forced: bool) -> bool:
    """Returns whether an answer of the length of the copy is taken to be the same: by its date, but not where a client forces it, or its tag."""
    if etag and etag == copy.etag and (own or not forced):
        return True
    return not forced and modified is not None and modified == copy.modified


def is_impossible(modified: int | None, built: int | None) -> bool:
    """Returns whether an index can't have been made at that time, since a package in it was built later by more than clocks differ."""
    return modified is not None and built is not None and modified < built - CLOCK_TOLERANCE


def date_of(answer: AnswerHead, now: float) -> int | None:
    """Returns the Last-Modified of an answer in seconds since the epoch; None where there is none, or none that can be believed."""
    return believed_date((answer.header("Last-Modified") or "").strip(), now)


def etag_of(answer: AnswerHead, now: float) -> str:
    """
    Returns the strong entity tag of an answer, or an empty string.

    Beside a date that can't be it says nothing: nginx makes it of the date and the length, which two indexes may have in common.
    """
    if answer.header("Last-Modified") and date_of(answer, now) is None:
        return ""
    return believed_etag((answer.header("ETag") or "").strip())


def believed_etag(text: str) -> str:
    """Returns a strong entity tag of a length that can be sent back; an empty string for everything else."""
    return text if _ETAG.match(text) else ""


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
    "built": (int, type(None)),
}
# Fields that records of earlier versions lack.
_LATER = frozenset({"built"})
_DATA = re.compile(r"[0-9a-f]{16}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_LATEST = 253_402_300_799
_MIRROR_LIMIT = 1000


def copy_from(fields: object, size_limit: int) -> Copy | None:
    """
    Returns a copy from a record of it, nothing of which is believed; None where a field is not of the form that `Copy` has.

    Args:
        size_limit: Bytes that a copy may have.
    """
    if not isinstance(fields, dict) or not _TYPES.keys() - _LATER <= fields.keys() <= _TYPES.keys():
        return None
    if any(type(value) not in _TYPES[name] for name, value in fields.items()):
        return None
    copy = Copy(**fields)
    well = (
        _DATA.match(copy.data)
        and _SHA256.match(copy.sha256)
        and 0 <= copy.size <= size_limit
        and len(copy.mirror) <= _MIRROR_LIMIT
        and all(moment is None or 0 <= moment <= _LATEST for moment in (copy.modified, copy.built))
        and copy.etag == believed_etag(copy.etag)
        and (not copy.belongs or _SHA256.match(copy.belongs))
    )
    return copy if well else None
