"""Says where a file would come from now, and why from nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from pacserve.app.reporting import Parts
from pacserve.delivery.delivering import Deliverer
from pacserve.delivery.table import Delivery
from pacserve.network.addresses import Endpoint
from pacserve.packages.files import FileKind, FileRequest
from pacserve.report.why import Reason, Why

# Candidates that are told one by one.
REASONS_LIMIT = 80
# Files in which a package is looked for: the best matches come first.
_FOUND_LIMIT = 50


class Explaining:
    """Answers questions about single files of pacman.  No other host is asked: everything is what this daemon knows now."""

    def __init__(self, parts: Parts, delivery: Deliverer) -> None:
        self._parts = parts
        self._delivery = delivery

    async def why(self, text: str) -> Why | None:
        """
        Returns where a package would come from.

        Args:
            text: The name of a package, or of its file.

        Returns:
            None where no database knows it.
        """
        await self._parts.databases.refresh_all()
        found = [(repo, name) for repo, name in self._parts.databases.find(text, _FOUND_LIMIT) if text == name or name.rsplit("-", 3)[0] == text]
        if not found:
            return None
        repo, name = found[0]
        size = self._parts.databases.size(repo, name)
        architectures = self._parts.configuration.current().architectures
        request = FileRequest(repo, architectures[0] if architectures else "any", name, FileKind.PACKAGE)
        reasons = shortened(await reasons_for(self._delivery, request, self._parts.left_out()))
        return Why(repo, name, size, tuple(reasons), self._parts.ledger.of(name))


async def why_of_all(ask: Sequence[Callable[[str], Awaitable[Why | None]]], text: str) -> Why | None:
    """
    Returns where a file would come from, as the first package system that knows it says, with what the others say.

    Args:
        ask: Returns for one package system where a file of it would come from, None where it knows none of that name.
    """
    found = [why for one in ask if (why := await one(text)) is not None]
    return replace(found[0], others=tuple(found[1:])) if found else None


async def reasons_for(delivery: Deliverer, request: FileRequest, left_out: Sequence[Endpoint]) -> list[Reason]:
    """
    Returns each candidate in the order in which they are tried; the first that would do is where the next request goes.

    Args:
        left_out: Where hosts announced themselves that are not used.
    """
    reasons: list[Reason] = []
    used = False
    for considered, decision in await delivery.consider(request):
        if decision is None or decision.delivery is Delivery.NEXT:
            reasons.append(Reason(considered.who, "no", considered.reason if decision is None else decision.reason))
        else:
            reason = f"{considered.reason}: {decision.reason}" if considered.reason else decision.reason
            if considered.how:
                reason = f"{reason}, {considered.how}"
            reasons.append(Reason(considered.who, "next" if used else "used", reason))
            used = True
    return [*reasons, *[Reason(f"peer {endpoint}", "no", "left out by --multicast-filter") for endpoint in left_out]]


def shortened(reasons: list[Reason]) -> list[Reason]:
    """Returns the reasons without the last of those that would not do, where there are too many; how many these are is said."""
    excess = len(reasons) - REASONS_LIMIT
    if excess <= 0:
        return reasons
    dropped = {id(reason) for reason in [reason for reason in reasons if reason.verdict == "no"][-excess:]}
    return [*(reason for reason in reasons if id(reason) not in dropped), Reason("others", "no", f"{len(dropped)} more are not listed")]
