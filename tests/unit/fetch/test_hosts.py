"""Tests for `pacserve.fetch.hosts`."""

import errno
import gc
import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IReactorPluggableNameResolver, IResolutionReceiver
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.fetch.hosts import RESOLUTION_TIMEOUT, resolve_host, system_resolver


@implementer(IHostnameResolver)
class Names:
    """
    A resolver that answers when it is told to.

    Attributes:
        asked: The names and who waits for each.
    """

    def __init__(self, at_once: Sequence[IPv4Address | IPv6Address] | None = None) -> None:
        self.at_once = at_once
        self.asked: list[tuple[str, IResolutionReceiver]] = []

    def resolveHostName(  # noqa: N802
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: object = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """Takes the question."""
        self.asked.append((hostName, resolutionReceiver))
        if self.at_once is not None:
            self.answer(*self.at_once)
        resolution: IHostResolution = Deferred()  # type: ignore[assignment]
        return resolution

    def answer(self, *addresses: IPv4Address | IPv6Address) -> None:
        """Answers the last question."""
        receiver = self.asked[-1][1]
        for address in addresses:
            receiver.addressResolved(address)
        receiver.resolutionComplete()


@implementer(IReactorPluggableNameResolver)
class Reactor:
    """A reactor that has but a resolver."""

    def __init__(self, names: Names) -> None:
        self.nameResolver = names

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:  # noqa: N802
        """Not needed."""
        raise NotImplementedError

    installResolver: Callable[..., object]  # noqa: N815


class ResolveTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.names = Names()

    def resolve(self, name: str = "nas.lan") -> Deferred[Sequence[str]]:
        """Begins to look a name up."""
        return Deferred.fromCoroutine(resolve_host(Reactor(self.names), self.clock, name))

    def test_order(self) -> None:
        """The addresses come in the system's order, each once, and no timer stays behind."""
        asked = self.resolve()
        self.names.answer(IPv6Address("TCP", "fd77::b", 0), IPv4Address("TCP", "10.0.0.3", 0), IPv6Address("TCP", "fd77::b", 0))
        self.assertEqual(self.successResultOf(asked), ("fd77::b", "10.0.0.3"))
        self.assertEqual((self.names.asked[0][0], self.clock.getDelayedCalls()), ("nas.lan", []))

    def test_at_once(self) -> None:
        """A resolver may answer before it returns."""
        self.names.at_once = (IPv4Address("TCP", "10.0.0.3", 0),)
        self.assertEqual(self.successResultOf(self.resolve()), ("10.0.0.3",))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unknown(self) -> None:
        """A name that is not known has no addresses."""
        asked = self.resolve()
        self.names.answer()
        self.assertEqual(self.successResultOf(asked), ())

    def test_many(self) -> None:
        """Of many addresses the first few are of use."""
        asked = self.resolve()
        self.names.answer(*(IPv4Address("TCP", f"10.0.1.{number}", 0) for number in range(100)))
        self.assertEqual(self.successResultOf(asked), tuple(f"10.0.1.{number}" for number in range(8)))

    def test_nobody_answers(self) -> None:
        """After five seconds a name counts as not known; an answer that comes later is no matter."""
        asked = self.resolve()
        self.clock.advance(RESOLUTION_TIMEOUT - 0.1)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(asked), ())
        self.names.answer(IPv4Address("TCP", "10.0.0.3", 0))

    def test_cancelled(self) -> None:
        """Who does not want to know any more leaves no timer behind."""
        asked = self.resolve()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.names.answer(IPv4Address("TCP", "10.0.0.3", 0))


class Threads:
    """A reactor whose threads do their work at once."""

    def getThreadPool(self) -> "Threads":  # noqa: N802
        """The threads."""
        return self

    def callFromThread(self, call: Callable[..., object], *arguments: object) -> None:  # noqa: N802
        """Comes back to the reactor."""
        call(*arguments)

    def callInThreadWithCallback(  # noqa: N802
        self, told: Callable[[bool, object], object], work: Callable[..., object], *arguments: object
    ) -> None:
        """Works."""
        try:
            result = work(*arguments)
        except BaseException:
            told(False, Failure())
        else:
            told(True, result)


class SystemTests(SynchronousTestCase):
    def resolve(self, answer: object) -> Sequence[str]:
        """The addresses when getaddrinfo gives this, or raises it."""

        def asked(*question: object) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.patch(socket, "getaddrinfo", asked)
        names: Any = Names()
        names.resolveHostName = system_resolver(Threads()).resolveHostName
        found = self.successResultOf(Deferred.fromCoroutine(resolve_host(Reactor(names), Clock(), "a.example")))
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
        return found

    def test_known(self) -> None:
        """The addresses that the system gives are found."""
        version4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
        version6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0))
        self.assertEqual(self.resolve([version4, version6]), ("192.0.2.1", "2001:db8::1"))

    def test_errors(self) -> None:
        """Whatever error the system answers with, the name is not known, at once and without a traceback."""
        for error in (socket.gaierror(-2, "unknown"), OSError(errno.EMFILE, "no file is left"), UnicodeError("label too long")):
            self.assertEqual(self.resolve(error), ())
