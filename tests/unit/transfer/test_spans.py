"""Tests for `pacserve.transfer.spans`, against a plain set of bytes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pacserve.transfer.spans import Spans

_SIZE = 24
_CHANGES = st.lists(st.tuples(st.booleans(), st.integers(0, _SIZE), st.integers(0, _SIZE)), max_size=12)


def _made(changes: list[tuple[bool, int, int]]) -> tuple[Spans, set[int]]:
    spans, held = Spans(), set[int]()
    for adds, first, end in changes:
        if adds:
            spans.add(first, end)
            held |= set(range(first, end))
        else:
            spans.remove(first, end)
            held -= set(range(first, end))
    return spans, held


@given(_CHANGES)
def test_holds_what_was_added_and_not_removed(changes: list[tuple[bool, int, int]]) -> None:
    """The spans are the bytes of a set, in order, and no two of them meet."""
    spans, held = _made(changes)
    found = list(spans)
    assert {byte for first, end in found for byte in range(first, end)} == held
    assert spans.size == len(held)
    assert len(spans) == len(found)
    assert all(first < end for first, end in found)
    assert all(before[1] < behind[0] for before, behind in itertools.pairwise(found))


@given(_CHANGES, st.integers(0, _SIZE), st.integers(0, _SIZE))
def test_missing_and_end(changes: list[tuple[bool, int, int]], first: int, end: int) -> None:
    """The bytes that are missing between two places, and the end of the held bytes at one."""
    spans, held = _made(changes)
    missing = list(spans.missing(first, end))
    assert {byte for start, behind in missing for byte in range(start, behind)} == set(range(first, end)) - held
    behind = first
    while behind in held:
        behind += 1
    assert spans.end_of(first) == behind


def test_made_of_spans() -> None:
    """Spans that overlap or meet become one."""
    assert list(Spans([(5, 7), (0, 3), (3, 5), (9, 9)])) == [(0, 7)]
