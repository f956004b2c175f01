"""Tests for `pacserve.transfer.givers`, against a giver for each byte."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from pacserve.transfer.givers import Givers
from tests.unit.transfer.simulator import Behaviour, SimulatedMirror

_SIZE = 24
_MIRRORS = [SimulatedMirror(Clock(), number, Behaviour()) for number in range(3)]
_GIVEN = st.lists(st.tuples(st.integers(0, _SIZE), st.integers(0, _SIZE), st.sampled_from(_MIRRORS)), max_size=12)


@given(_GIVEN, st.integers(0, _SIZE), st.integers(0, _SIZE))
def test_the_latest_giver_of_each_byte(given: list[tuple[int, int, SimulatedMirror]], first: int, end: int) -> None:
    """Each byte is that of the source that gave it last, and what is known is in order."""
    givers, known = Givers(), dict[int, SimulatedMirror]()
    for start, behind, mirror in given:
        givers.add(start, behind, mirror)
        known.update(dict.fromkeys(range(start, behind), mirror))
    found = list(givers)
    assert {byte: one.giver for one in found for byte in range(one.first, one.end)} == known
    assert all(before.end <= behind.first for before, behind in itertools.pairwise(found))
    assert givers.shares == Counter(mirror.label for mirror in known.values())
    assert givers.labels == set(givers.shares)
    between = givers.between(first, end)
    assert {byte: one.giver for one in between for byte in range(one.first, one.end)} == {
        byte: mirror for byte, mirror in known.items() if first <= byte < end
    }


def test_bytes_that_follow_are_one_entry() -> None:
    """Thousands of pieces of one source take no more room than one."""
    givers = Givers()
    for number in range(100):
        givers.add(number * 10, number * 10 + 10, _MIRRORS[0])
        givers.add(5000 + number * 10, 5000 + number * 10 + 10, _MIRRORS[1])
    assert [(one.first, one.end, one.giver) for one in givers] == [(0, 1000, _MIRRORS[0]), (5000, 6000, _MIRRORS[1])]
