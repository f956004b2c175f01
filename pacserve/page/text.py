"""Numbers and untrusted text, as the page shows them."""

from __future__ import annotations

import html
from datetime import UTC, datetime

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")  # IEC 80000-13
_LATEST = 253_402_300_799
"""The last second of the year 9999, where `datetime` ends."""


def size(count: float) -> str:
    """Returns a number of bytes with its unit and at least three digits, `1.25 MiB`."""
    value, place = max(float(count), 0.0), 0
    while value >= 999.5 and place < len(UNITS) - 1:
        value, place = value / 1024, place + 1
    if not place:
        return f"{value:.0f} B"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {UNITS[place]}"


def rate(per_second: float) -> str:
    """Returns a number of bytes per second with its unit."""
    return f"{size(per_second)}/s"


def number(count: int) -> str:
    """Returns an integer with separated thousands, `12,345`."""
    return f"{count:,}"


def share(part: float, whole: float) -> str:
    """Returns the share that a part has of the whole, `34 %`; empty where the whole is zero.  Little is not nothing, and nearly all is not all."""
    if whole <= 0:
        return ""
    percent = 100 * part / whole
    return "< 1 %" if 0 < percent < 1 else "> 99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def duration(seconds: float) -> str:
    """Returns a time span in its largest unit, `12 s`, `5 min`, `3 h`, `4 days`.  `page.js` has the same steps."""
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s" if seconds < 59.5 else "1 min"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    if seconds < 2 * 86400:
        return f"{seconds // 3600:.0f} h"
    return f"{seconds // 86400:.0f} days"


def milliseconds(seconds: float) -> str:
    """Returns a short time span, `0.8 ms`, `150 ms`."""
    value = max(seconds, 0.0) * 1000
    return f"{value:.1f} ms" if value < 9.95 else f"{value:.0f} ms" if value < 9999.5 else duration(seconds)


def moment(at: float) -> str:
    """Returns seconds since the epoch as an HTML date and time in UTC, `2026-11-21T09:08:06Z`, moved into the years 1970 to 9999."""
    return f"{datetime.fromtimestamp(min(max(int(at), 0), _LATEST), UTC):%Y-%m-%dT%H:%M:%SZ}"


def clock_time(at: float) -> str:
    """Returns seconds since the epoch as an hour and minute in UTC, `09:08`."""
    return moment(at)[11:16]


def day(at: float) -> str:
    """Returns seconds since the epoch as a date in UTC, `2026-11-21`."""
    return moment(at)[:10]


LONGEST = 300
"""Characters of a text that are shown: the longest file name has 255."""


def clean(text: str) -> str:
    """
    Returns a text without characters that are invisible or that change how the text around them is read.

    Control characters, bidirectional overrides and bytes that are no UTF-8 become Python's escapes, and a very long text is cut.
    """
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    if text.isprintable():
        return text
    return "".join([one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text])


def escape(text: str) -> str:
    """Returns a text, cleaned, for an HTML element or an attribute in double quotes."""
    return html.escape(clean(text), quote=True)
