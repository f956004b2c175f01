"""Whether the daemon answers."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, well, wrong


def check(facts: Facts) -> Iterable[Finding]:
    """Returns the daemon answers on localhost, and tells its state."""
    if facts.silence:
        yield wrong(
            f"pacserve does not answer on localhost:{facts.port}: {facts.silence}",
            "start it: systemctl enable --now pacserve, or pacserve --multicast; name its port with pacsrv --port PORT doctor",
        )
    elif facts.status is None:
        yield wrong(f"pacserve does not tell its state: {facts.no_status}", "install one version of pacserve and pacsrv, and restart pacserve")
    else:
        yield well(f"pacserve {facts.status.host.version} answers on localhost:{facts.port}")
