"""Resolves host names to addresses through the reactor's resolver."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet._resolver import GAIResolver
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IReactorPluggableNameResolver, IReactorTime, IResolutionReceiver
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


def system_resolver(reactor: Any) -> IHostnameResolver:
    """
    Returns a resolver for a reactor to install, which asks the system as Twisted's own does.

    Twisted's takes only one kind of error.  Any other, such as that no file can be opened (EAI_SYSTEM), is left for nobody to hear, and its caller
    waits without end.

    Args:
        reactor: Has the threads.
    """
    look_up: Any = _addresses
    return GAIResolver(reactor, getaddrinfo=look_up)


def _addresses(*question: Any) -> list[Any]:
    """Asks getaddrinfo(3), for which every error is a name that is not known now."""
    try:
        return socket.getaddrinfo(*question)
    except (OSError, UnicodeError) as error:
        raise socket.gaierror(socket.EAI_FAIL, str(error)) from error
