"""Whether this host knows what time it is: signatures, certificates and validators hang on it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong
from pacserve.pacsrv.text import span

# 2025-01-01: before this was written.
_EARLIEST = 1_735_689_600
# Seconds.  Keys and certificates are made with some minutes to spare.
_WRONG, _DOUBTFUL = 300, 60
_CURE = "set the clock: timedatectl set-ntp true"


def check(facts: Facts) -> Iterable[Finding]:
    """This host's clock agrees with most of those that its peers and mirrors state."""
    if facts.now < _EARLIEST:
        yield wrong("the clock is years behind: signatures seem to be from the future", _CURE)
        return
    if not facts.clocks:
        yield well("the clock is plausible; there is nobody to compare it with")
        return
    offset = statistics.median(clock.seconds for clock in facts.clocks)
    others = some(clock.who for clock in facts.clocks)
    text = f"the clock is {span(abs(offset))} {'behind' if offset > 0 else 'ahead of'} {others}"
    if abs(offset) > _WRONG:
        yield wrong(text, _CURE)
    elif abs(offset) > _DOUBTFUL:
        yield doubtful(text, _CURE)
    else:
        yield well(f"the clock agrees with {others}")
