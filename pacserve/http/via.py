"""The Via header (RFC 9110, 7.6.3): by it a pacserve knows that a question has passed another one, so that no loop is possible."""

from __future__ import annotations

_PREFIX = "pacserve-"


def via_value(instance: str) -> str:
    """Returns the Via value of the pacserve with this instance id."""
    return f"1.1 {_PREFIX}{instance}"


def names_pacserve(value: str) -> bool:
    """
    Returns whether one of the hops that a Via value lists is a pacserve.

    Comments are skipped, case does not matter, and an entry that leaves the protocol out counts as well.
    """
    for entry in _without_comments(value).split(","):
        words = entry.split()
        if words and words[min(1, len(words) - 1)].lower().startswith(_PREFIX):
            return True
    return False


def _without_comments(value: str) -> str:
    """Returns the value without its comments, which nest and may hold commas (RFC 9110, 5.6.5)."""
    kept: list[str] = []
    depth = 0
    escaped = False
    for char in value:
        if escaped:
            escaped = False
        elif depth and char == "\\":
            escaped = True
        elif char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(char)
    return "".join(kept)
