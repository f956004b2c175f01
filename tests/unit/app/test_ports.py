"""Tests for `pacserve.app.ports`."""

from __future__ import annotations

import errno
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.apt import AptServing
from pacserve.app.ports import Ports
from pacserve.config.settings import Settings
from pacserve.errors import StartError
from pacserve.web.server.site import Site
from tests.fakes.browser import router_of


class Port:
    """A port of a reactor in memory."""

    def __init__(self, opened: list[Port], host: str, port: int) -> None:
        self.host, self.port = host, port
        self._opened = opened
        opened.append(self)

    def getHost(self) -> Port:  # noqa: N802
        """Its address."""
        return self

    def stopListening(self) -> None:  # noqa: N802
        """Closes it."""
        self._opened.remove(self)


class Reactor(Clock):
    """
    A reactor without a network.

    Attributes:
        opened: The ports that are open.
    """

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Port] = []

    def listenTCP(self, port: int, factory: Any, backlog: int, interface: str) -> Port:  # noqa: N802
        """Opens a port."""
        return Port(self.opened, interface, port)


class FakeApt:
    """
    Answers apt on a port, unless another program has it.

    Attributes:
        taken: Whether another program has it.
    """

    taken = False

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._port: Port | None = None

    def open(self) -> None:
        """Opens the port."""
        if self.taken:
            raise StartError("TCP port 9988 is in use") from CannotListenError("", 9988, OSError(errno.EADDRINUSE, ""))
        self._port = self._reactor.listenTCP(9988, None, 5, "127.0.0.1")

    async def close(self, *, accepting: bool) -> None:
        """Closes it, if it was opened."""
        if self._port is not None:
            self._port.stopListening()

    def shown_ports(self) -> str:
        """Returns where it is."""
        return "127.0.0.1:9988"


class PortsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.apt = FakeApt(self.reactor)

    def make(self, *, apt: bool = True) -> Ports:
        """The ports of a daemon that is bound to two addresses."""
        settings = Settings(bind=("127.0.0.1", "10.0.0.5"), apt=apt)
        site = Site(router_of({}, self.reactor), self.reactor)
        return Ports(self.reactor, settings, (), site, cast(AptServing, self.apt) if apt else None)

    def test_told(self) -> None:
        """People are told of all ports, other hosts of that for pacman and peers, and browsers of localhost."""
        for apt, text in ((False, ""), (True, ", for apt on 127.0.0.1:9988")):
            ports = self.make(apt=apt)
            self.successResultOf(Deferred.fromCoroutine(ports.open()))
            self.assertEqual(str(ports), f"127.0.0.1:15678, 10.0.0.5:15678{text}")
            self.assertEqual((ports.number, ports.page, ports.unused), (15678, "http://localhost:15678/", ""))

    def test_closed(self) -> None:
        """All ports are closed at the end, and also where that for apt can't be had."""
        ports = self.make()
        self.successResultOf(Deferred.fromCoroutine(ports.open()))
        self.assertEqual(len(self.reactor.opened), 3)
        self.successResultOf(Deferred.fromCoroutine(ports.close(accepting=False)))
        self.assertEqual(self.reactor.opened, [])
        self.apt.taken, self.apt._port = True, None
        self.failureResultOf(Deferred.fromCoroutine(self.make().open()), StartError)
        self.assertEqual(self.reactor.opened, [])
