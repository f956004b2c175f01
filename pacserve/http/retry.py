"""How long a host asks to be left alone (RFC 9110, 10.2.3)."""

from __future__ import annotations

import re

from pacserve.http.validators import parse_date

# Answers with which a host says that it has too much to do: of this client (RFC 6585, 4), or of all (RFC 9110, 15.6.4).
OVERLOADED = frozenset({429, 503})
_SECONDS = re.compile(r"[0-9]{1,18}\Z")


def retry_after(value: str | None, date: str | None) -> float | None:
    """
    Returns the seconds that a Retry-After header states; None where it states none that can be.

    Args:
        value: The header.
        date: The Date header of the same answer, with which a date is compared: so the clock of this host does not matter.  Without it, a date says
            nothing.
    """
    text = (value or "").strip()
    if _SECONDS.match(text):
        return float(text)
    until, since = parse_date(text), parse_date((date or "").strip())
    if until is None or since is None or until < since:
        return None
    return float(until - since)
