"""Whether each daemon of the LAN has an id of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong

_CURE = "restart pacserve on each of them: it draws a new id at every start"


def check(facts: Facts) -> Iterable[Finding]:
    """No two daemons have the same instance id, as copies of a running machine do."""
    if facts.status is None:
        return
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for peer in facts.status.peers:
        if peer.instance:
            holders[peer.instance].append(peer.address)
    own = holders.pop(facts.status.host.instance, [])
    twins = [addresses for addresses in holders.values() if len(addresses) > 1]
    if own:
        yield wrong(f"{some(own)} has the same id as this host: each takes the other for itself", _CURE)
    for addresses in twins:
        yield doubtful(f"{some(addresses)} have the same id: one machine that is named twice, or copies of one", f"{_CURE}; name a machine once")
    if not own and not twins:
        yield well("no other pacserve has the id of this one")
