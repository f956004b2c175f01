"""The user's filters for peers that multicast found: expressions that are matched against their addresses."""

from __future__ import annotations

import enum
import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pacserve.network.addresses import Endpoint

# Answers kept: 1,024 peers with four addresses each.
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Filter:
    """
    One expression.

    Attributes:
        excludes: True if what it matches is rejected (`x:`) or admitted (`i:`).
        expression: Searched for in `10.0.0.3:15678` or `[fd77::b]:15678`.
    """

    excludes: bool
    expression: re.Pattern[str]


def parse_filter(text: str) -> Filter:
    """
    Reads `i:REGEX` or `x:REGEX`, in the syntax of Python's module `re`.

    Raises:
        ValueError: With a message of one line that says what would be right, or in which the place of the mistake is marked.
    """
    prefix, colon, expression = text.partition(":")
    if not colon or prefix not in ("i", "x"):
        raise ValueError(f"'{_printable(text)}' does not begin with i: or x:, write for example i:^10\\.0\\.0\\. or x:^10\\.0\\.0\\.7:")
    try:
        with warnings.catch_warnings(action="ignore"):  # of syntax that may mean something else one day: nothing that a log should hold
            return Filter(prefix == "x", re.compile(expression))
    except re.error as error:
        raise ValueError(f"'{_printable(text)}': {_printable(error.msg)}{_marked(expression, error.pos)}") from None
    except (OverflowError, RecursionError) as error:
        raise ValueError(f"'{_printable(text)}': {_printable(str(error))}") from None


def _marked(expression: str, position: int | None) -> str:
    """Returns where an expression is wrong.  Some mistakes are of the whole of it."""
    if position is None:
        return f" in the expression: {_printable(expression)}"
    end = position + 1
    rest = f" {_printable(expression[end:])}" if expression[end:] else ""
    return f" at position {end} of the expression: {_printable(expression[:end])}<-- here{rest}"


def _printable(text: str) -> str:
    """
    Returns the text with line ends and everything else that can't be seen escaped.  Backslashes, of which expressions are full, stay as they are.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class _Verdict(enum.Enum):
    """The judgement of the filters on one address."""

    ADMITTED = enum.auto()
    LEFT_OUT = enum.auto()
    """There are `i:` filters, and none matches."""
    EXCLUDED = enum.auto()
    """An `x:` filter matches."""


class PeerFilters:
    """Says which addresses of a peer may be used.  Without any filter all may."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._excluding = tuple(each.expression for each in filters if each.excludes)
        self._including = tuple(each.expression for each in filters if not each.excludes)
        # Announcements come again every minute with the same addresses, and an expression may be slow.
        self._verdict = lru_cache(maxsize=_REMEMBERED)(self._judge)

    def admitted(self, addresses: Collection[Endpoint]) -> tuple[Endpoint, ...]:
        """
        Returns the addresses that may be used, in the same order.  None at all if an `x:` filter matches any of them: a host that is excluded by its
        IPv4 address is not to be contacted by its IPv6 address, either.

        Args:
            addresses: All addresses that one instance is known by.
        """
        verdicts = [(address, self._verdict(_text(address))) for address in addresses]
        if any(verdict is _Verdict.EXCLUDED for _, verdict in verdicts):
            return ()
        return tuple(address for address, verdict in verdicts if verdict is _Verdict.ADMITTED)

    def _judge(self, text: str) -> _Verdict:
        if any(expression.search(text) for expression in self._excluding):
            return _Verdict.EXCLUDED
        if self._including and not any(expression.search(text) for expression in self._including):
            return _Verdict.LEFT_OUT
        return _Verdict.ADMITTED


def _text(address: Endpoint) -> str:
    """Returns the text that the expressions are matched against: without a zone, whose name differs from host to host."""
    return str(Endpoint(address.host.partition("%")[0], address.port))
