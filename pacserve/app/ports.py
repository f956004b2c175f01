"""The ports that the daemon answers on, from the first to the last moment: pacman's, and apt's where that is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IListeningPort

from pacserve.app.apt import AptServing
from pacserve.app.listening import close, listen, listen_on_loopback, unused_options
from pacserve.app.naming import page_of, shown
from pacserve.config.settings import Settings
from pacserve.errors import StartError
from pacserve.web.server.site import Site


class Ports:
    """
    Opens and closes ports.

    Args:
        inherited: Listening sockets from the service manager, which outlive this process.
        apt: Answers apt, on ports of its own; None where that is not wanted.
    """

    def __init__(self, reactor: Any, settings: Settings, inherited: Sequence[int], site: Site, apt: AptServing | None) -> None:
        self._reactor = reactor
        self._settings = settings
        self._inherited = inherited
        self._site = site
        self._apt = apt
        self._ports: list[IListeningPort] = []
        self._loopback: list[IListeningPort] = []

    async def open(self) -> None:
        """
        Opens the ports.

        Raises:
            StartError: One can't be had; none is left open.
        """
        self._ports = listen(self._reactor, self._site, self._settings.bind, self._settings.port, self._inherited)
        try:
            if self._apt is not None:
                self._apt.open()
        except StartError:
            await self.close(accepting=False)
            raise

    def take(self) -> None:
        """Has this host's own connections accepted apart from those of others, and bounds how long a port accepts any."""
        if not self._inherited:  # the service manager's sockets outlive this process, and others would not
            self._loopback = listen_on_loopback(self._reactor, self._site, self._ports)
        for port in (*self._ports, *self._loopback):
            self._site.take(port)

    async def close(self, *, accepting: bool) -> None:
        """
        Listens no more.

        Args:
            accepting: True to accept what waits in the sockets of which no other process has a copy.
        """
        await close((*self._ports, *self._loopback), accepting=accepting and not self._inherited)
        if self._apt is not None:
            await self._apt.close(accepting=accepting)

    @property
    def number(self) -> int:
        """The TCP port that other hosts are told."""
        listening: Any = self._ports[0].getHost()
        number: int = listening.port
        return number

    @property
    def unused(self) -> str:
        """The warning of options that the sockets of the service manager overrule; empty where there is none."""
        return unused_options(self._settings.bind, self._settings.port, self._ports) if self._inherited else ""

    @property
    def page(self) -> str:
        """The URL of the status page."""
        return page_of(self._ports)

    def __str__(self) -> str:
        ports = ", ".join(map(shown, self._ports))
        return ports if self._apt is None else f"{ports}, for apt on {self._apt.shown_ports()}"
