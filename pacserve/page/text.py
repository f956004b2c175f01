"""Text of anybody's making, as it may stand in HTML."""

from __future__ import annotations

import html

LONGEST = 300
"""Characters that are shown of a text: the longest file name has 255."""


def clean(text: str) -> str:
    """
    `text` without anything that is not seen or that changes how its surroundings are read: control characters, bidirectional overrides and bytes
    that are no UTF-8 are written as Python writes them, and of a very long text the beginning is shown.
    """
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    if text.isprintable():
        return text
    return "".join([one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text])


def escape(text: str) -> str:
    """`text`, cleaned, for an element or an attribute in double quotes."""
    return html.escape(clean(text), quote=True)
