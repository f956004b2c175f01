"""Which candidate is tried first.  A pure function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pacserve.interfaces import Candidate


def in_order(candidates: Iterable[Candidate]) -> Sequence[Candidate]:
    """The candidates, best first; those of one rank stay in the order in which their source put them."""
    return sorted(candidates, key=lambda candidate: candidate.rank)
