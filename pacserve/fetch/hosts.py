"""Resolves host names to addresses through the reactor's resolver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostResolution, IReactorPluggableNameResolver, IReactorTime, IResolutionReceiver
from zope.interface import implementer

# Addresses of one name that are used: each that does not answer costs a wait.
_ADDRESSES_LIMIT = 8
# Seconds after which a name counts as not resolvable; the system's resolver may take 30 s and more where there is no network.
RESOLUTION_TIMEOUT = 5.0


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects the addresses of one resolution."""

    def __init__(self, done: Callable[[Sequence[str]], object]) -> None:
        self._done = done
        self._hosts: dict[str, None] = {}

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803
        pass  # the system's resolver can't cancel a resolution anyway

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802
        found: Any = address
        if len(self._hosts) < _ADDRESSES_LIMIT:
            self._hosts[found.host] = None

    def resolutionComplete(self) -> None:  # noqa: N802
        self._done(tuple(self._hosts))


async def resolve_host(reactor: IReactorPluggableNameResolver, clock: IReactorTime, name: str) -> Sequence[str]:
    """
    Returns the first addresses of a host, in the system's order of preference; empty where the name is not known, or no answer came in time.
    """
    answered: Deferred[Sequence[str]] = Deferred()

    def done(hosts: Sequence[str]) -> None:
        if not answered.called:
            answered.callback(hosts)

    timer = clock.callLater(RESOLUTION_TIMEOUT, done, ())
    reactor.nameResolver.resolveHostName(_Receiver(done), name)
    try:
        return await answered
    finally:
        if timer.active():
            timer.cancel()
