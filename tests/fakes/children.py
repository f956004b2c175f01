"""Child processes that end when a test says so."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.internet.defer import Deferred

from pacserve.packages.children import ChildOutcome, Run


class Children(Run):
    """
    Runs nothing.

    Attributes:
        commands: What was run, in order.
        running: The children that have not ended, in order; a cancelled one has ended.
        cancelled: How many were given up by who started them.
        most: How many ran at the same time.
        answer: What every child becomes at once, None for children that wait for `end`.
    """

    def __init__(self, answer: ChildOutcome | Exception | None = None) -> None:
        self.commands: list[Sequence[str]] = []
        self.running: list[Deferred[ChildOutcome]] = []
        self.cancelled = 0
        self.most = 0
        self.answer = answer

    async def __call__(self, command: Sequence[str], output: int | None = None) -> ChildOutcome:
        outcome = await self._outcome(command)
        if output is None:
            return outcome
        os.write(output, outcome.output)
        return ChildOutcome(outcome.status, b"", outcome.complaint)

    async def _outcome(self, command: Sequence[str]) -> ChildOutcome:
        self.commands.append(tuple(command))
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        child: Deferred[ChildOutcome] = Deferred(self._gone)
        self.running.append(child)
        self.most = max(self.most, len(self.running))
        return await child

    def end(self, outcome: ChildOutcome | Exception) -> None:
        """Ends the child that has run longest."""
        child = self.running.pop(0)
        if isinstance(outcome, Exception):
            child.errback(outcome)
        else:
            child.callback(outcome)

    def _gone(self, child: Deferred[ChildOutcome]) -> None:
        self.cancelled += 1
        self.running.remove(child)
