"""Validators (RFC 9110, 8.8): entity tags and dates, and the headers that compare them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LATEST = 253_402_300_799
"""The last second of the year 9999: an HTTP-date has four digits for the year."""

_LONGEST_DATE = 40
"""Characters; the longest valid form, `Wednesday, 06-Nov-94 08:49:37 GMT`, has 33."""

# The first of January 2005: pacman and its packages are younger, and so a date before that is one that a server makes up where it knows none, as 1970
# or 1980 for files of an image, a store or an archive.
EARLIEST = 1_104_537_600
# Seconds by which clocks of hosts may differ.  A date beyond that is ignored: it would keep every update out until then.
CLOCK_TOLERANCE = 86_400

# The three forms of RFC 9110, 5.6.7: IMF-fixdate, RFC 850, asctime.
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = (
    re.compile(rf"(?:{'|'.join(_DAYS)}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT\Z"),
    re.compile(rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT\Z"),
    re.compile(rf"(?:{'|'.join(_DAYS)}) {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})\Z"),
)
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def make_etag(size: int, modified_ns: int, inode: int) -> str:
    """
    Returns a strong entity tag (RFC 9110, 8.8.3) for a file, quotes included; it differs for another file, and after a change of this one.

    Args:
        modified_ns: The mtime in nanoseconds since the epoch.
    """
    return f'"{modified_ns & 0xFFFFFFFFFFFFFFFF:x}-{size:x}-{inode:x}"'


def format_date(seconds: int) -> str:
    """
    Returns the IMF-fixdate (RFC 9110, 5.6.7) of a time in seconds since the epoch; times outside of the years 1970 to 9999 are
    moved to the nearest bound.
    """
    moment = _EPOCH + timedelta(seconds=min(max(seconds, 0), _LATEST))
    return f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year:04} {moment:%H:%M:%S} GMT"


def parse_date(text: str) -> int | None:
    """
    Returns the time that an HTTP-date states, in any of its three forms, in seconds since the epoch.

    A year of two digits is one of 1970 to 2069.  The day of the week is not compared with the date.

    Returns:
        None where `text` is no such date.
    """
    if len(text) > _LONGEST_DATE:
        return None
    for form in _FORMS:
        match = form.match(text)
        if match is not None:
            break
    else:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year += 1900 if year >= 70 else 2000
    try:
        moment = datetime(
            year,
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            min(int(match["second"]), 59),  # the grammar allows leap seconds, datetime does not
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(seconds=1)


def matches_none_match(header: str, etag: str) -> bool:
    """Returns whether an If-None-Match header (RFC 9110, 13.1.2) names `etag`, compared weakly: the client has the file already."""
    return header.strip() == "*" or any(_opaque(tag) == _opaque(etag) for tag in _ENTITY_TAG.findall(header))


def not_modified_since(header: str, modified: int) -> bool:
    """Returns whether an If-Modified-Since header (RFC 9110, 13.1.3) says that the client has the file as it is; a malformed date is ignored."""
    since = parse_date(header.strip())
    return since is not None and modified <= since


def matches_if_range(header: str, etag: str, modified: int) -> bool:
    """
    Returns whether an If-Range header (RFC 9110, 13.1.5) names the file as it is, so that the range may be sent.

    Entity tags are compared strongly, a date must be exactly the Last-Modified; a malformed value does not match, and the whole file is sent.
    """
    value = header.strip()
    if value.endswith('"'):
        return value == etag and not value.startswith("W/")
    return parse_date(value) == modified


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")


def believed_date(text: str, now: float) -> int | None:
    """Returns the time of a Last-Modified in seconds since the epoch; None where it is malformed or can't be, and so says nothing."""
    return believed(parse_date(text), now)


def believed(modified: int | None, now: float) -> int | None:
    """Returns the time, in seconds since the epoch, at which a file was changed; None where it is before `EARLIEST` or in the future."""
    return modified if modified is not None and modified >= EARLIEST and not is_to_come(modified, now) else None


def is_to_come(moment: int, now: float) -> bool:
    """Returns whether a time that another host states is so far ahead that its clock can't be the reason."""
    return moment > now + CLOCK_TOLERANCE
