"""Claims as a keeper would answer them."""

from __future__ import annotations

from collections.abc import Callable

from pacserve.sources.upstreams import Upstream
from pacserve.transfer.leader_search import Claim


class AnsweredClaim(Claim):
    """
    A claim that is granted, or one with a leader.

    Attributes:
        ended: Whether the file was kept, each time that the claim was ended.
    """

    def __init__(self, leader: Upstream | None) -> None:
        self._leader = leader
        self._lost: Callable[[], object] = bool
        self.ended: list[bool] = []

    @property
    def leader(self) -> Upstream | None:
        return self._leader

    def watch(self, lost: Callable[[], object]) -> None:
        self._lost = lost

    def lose(self, leader: Upstream) -> None:
        """Another host turns out to hold the claim."""
        self._leader = leader
        self._lost()

    def end(self, *, kept: bool) -> None:
        self.ended.append(kept)
