"""Which candidate is tried first.  A pure function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pacserve.sources.candidates import Candidate, Considered, PackageSource, Wanted


def in_order(sources: Sequence[PackageSource], wanted: Wanted) -> Iterator[Candidate]:
    """
    Yields the candidates of all sources, best first; those of one rank in the order of the sources, and as their source put them.

    A source is asked for candidates only when no better one is left, since nearly every request is answered by the first: a peer that has the file
    saves going through a list of mirrors.

    Args:
        sources: As `by_best` has put them.
    """
    waiting: list[Candidate] = []
    for source in sources:
        while waiting and waiting[0].rank < source.best:
            yield waiting.pop(0)
        waiting += source.candidates(wanted)
        if len(waiting) > 1:
            waiting.sort(key=lambda candidate: candidate.rank)
    yield from waiting


def by_best(sources: Sequence[PackageSource]) -> tuple[PackageSource, ...]:
    """Returns sources in the order of the best candidates that they can have; equal ones as they were."""
    return tuple(sorted(sources, key=lambda source: source.best))


def all_considered(sources: Sequence[PackageSource], wanted: Wanted) -> list[Considered]:
    """Returns what the sources, as `by_best` has put them, consider for a file, in the order in which `in_order` has the candidates tried."""
    return sorted(
        (considered for source in sources for considered in source.consider(wanted)),
        key=lambda considered: (considered.rank, considered.offer is None),
    )
