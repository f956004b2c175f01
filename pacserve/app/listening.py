"""The sockets that the daemon answers on."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from pacserve.errors import StartError, plain_reason

# Connections that wait for being accepted.  With Twisted's 50 a busy moment of 150 ms costs some clients a second, since the kernel drops their SYN.
BACKLOG = 1024

_ALL_IPV4 = "0.0.0.0"  # noqa: S104
# Addresses of loopback, each with the one that would take it as well.
_LOOPBACK = (("127.0.0.1", _ALL_IPV4), ("::1", "::"))

_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


class ListeningReactor(Protocol):
    """The methods of a reactor that listening needs (IReactorTCP, IReactorSocket)."""

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int, interface: str) -> IListeningPort: ...  # noqa: N802

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: Any, factory: IProtocolFactory) -> IListeningPort: ...  # noqa: N802, N803


def listen(reactor: ListeningReactor, factory: IProtocolFactory, bind: Sequence[str], port: int, inherited: Sequence[int]) -> list[IListeningPort]:
    """
    Opens the sockets.

    Args:
        bind: Addresses; empty for all of this host: one socket that takes IPv6 and IPv4, or IPv4 alone where there is no IPv6.
        inherited: Listening stream sockets that the service manager has opened (systemd.socket(5)); they take the place of `bind` and `port`.

    Raises:
        StartError: An address can't be had; nothing is left open.
    """
    if inherited:
        return _adopt(reactor, factory, inherited)
    opener = _Opener(reactor, factory, port, "--port")
    if not bind:
        return opener.everywhere()
    return opener.each(["::"] if "::" in bind else bind)  # it takes IPv4 as well, and each further address would be in use already


def listen_for_apt(reactor: ListeningReactor, factory: IProtocolFactory, bind: Sequence[str], port: int, *, clients: bool) -> list[IListeningPort]:
    """
    Opens the sockets for apt: on loopback, and where other hosts are clients on the addresses of this host as well.

    Args:
        bind: Addresses for the other hosts; empty for all of this host.
        clients: True if other hosts are clients.

    Raises:
        StartError: An address can't be had; nothing is left open.  On a host without IPv6 that of its loopback is not missed.
    """
    opener = _Opener(reactor, factory, port, "--apt-port")
    if clients and (not bind or "::" in bind):
        return opener.everywhere()
    named = {ip_address(address): address for address in bind} if clients else {}
    loopback = [own for own, wide in _LOOPBACK if not named.keys() & {ip_address(own), ip_address(wide)}]
    return opener.each([*named.values(), *loopback], optional=[address for address in loopback if ":" in address])


def unused_options(bind: Sequence[str], port: int, ports: Sequence[IListeningPort]) -> str:
    """Returns what is to be said of options that the sockets of the service manager overrule, in words; empty where there is nothing."""
    actual = [address.port for address in (opened.getHost() for opened in ports) if isinstance(address, (IPv4Address, IPv6Address))]
    if port not in actual:
        where = ", ".join(map(str, actual))
        return f"--port {port} has no effect: the service manager opened port {where}; change --port, or ListenStream= of pacserve.socket"
    if bind:
        return "--bind has no effect: the service manager opened the port; name the addresses in ListenStream= of pacserve.socket, or mask that unit"
    return ""


async def close(ports: Sequence[IListeningPort], *, accepting: bool) -> None:
    """
    Listens no more.

    Args:
        accepting: True to accept the connections first that wait in the sockets, which would be reset otherwise.  Where the service manager has the
            sockets as well they go on waiting, for the next daemon.
    """
    for port in ports:
        if accepting:
            _accept_waiting(port)
        closed = port.stopListening()
        if isinstance(closed, Deferred):
            await closed


def _accept_waiting(port: Any) -> None:
    waiting = select.poll()
    waiting.register(port.fileno(), select.POLLIN)
    for _ in range(BACKLOG):  # no more can wait; and it ends where one can't be accepted
        if not waiting.poll(0):
            return
        port.doRead()


def listen_on_loopback(reactor: ListeningReactor, factory: IProtocolFactory, ports: Sequence[IListeningPort]) -> list[IListeningPort]:
    """
    Gives loopback sockets of its own beside those that listen on all addresses.

    Connections wait in the kernel for being accepted, and other hosts can keep that queue full: a SYN of this host's pacman would be dropped, and
    sent again after a second.  The kernel prefers the socket with the closer address.

    It allows two of one port where both have SO_REUSEPORT.  They have it only while the second one is bound: a second daemon finds the port in use.

    Returns:
        The further ports; none where the kernel or the service manager's sockets do not allow any, which is no reason not to run.
    """
    found: list[IListeningPort] = []
    for port in ports:
        listening: Any = port
        wide: socket.socket = listening.socket
        address = wide.getsockname()
        if not ip_address(address[0]).is_unspecified:
            continue
        if wide.family == socket.AF_INET6:
            found += _adopted(reactor, factory, wide, (socket.AF_INET6, "::1"), address[1])
        if wide.family == socket.AF_INET or not wide.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            found += _adopted(reactor, factory, wide, (socket.AF_INET, "127.0.0.1"), address[1])
    return found


def _adopted(
    reactor: ListeningReactor, factory: IProtocolFactory, wide: socket.socket, address: tuple[socket.AddressFamily, str], port: int
) -> list[IListeningPort]:
    family, host = address
    try:
        wide.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            with socket.socket(family) as own:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                if family == socket.AF_INET6:
                    own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                own.setblocking(False)
                own.bind((host, port))
                own.listen(BACKLOG)
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
                return [reactor.adoptStreamPort(own.fileno(), family, factory)]
        finally:
            wide.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
    except OSError:  # no IPv6, or the service manager's socket belongs to another user
        return []


@dataclass(frozen=True, slots=True)
class _Opener:
    """
    Opens sockets of one port.

    Attributes:
        option: The one that names the port, for the user.
    """

    reactor: ListeningReactor
    factory: IProtocolFactory
    port: int
    option: str

    def each(self, addresses: Sequence[str], optional: Collection[str] = ()) -> list[IListeningPort]:
        """
        Listens on each of these addresses.

        Args:
            optional: Those that may be missing, where there is no IPv6.

        Raises:
            StartError: One can't be had; nothing is left open.
        """
        ports: list[IListeningPort] = []
        for address in addresses:
            try:
                ports.append(self._listen(address))
            except CannotListenError as error:
                if address in optional and _errno(error) in _NO_IPV6:
                    continue
                for opened in ports:
                    opened.stopListening()
                raise StartError(self._explain(error, address)) from error
        return ports

    def everywhere(self) -> list[IListeningPort]:
        """
        Listens on all addresses.

        Raises:
            StartError: The port can't be had; nothing is left open.
        """
        try:
            first = self._listen("::")
        except CannotListenError as error:
            if _errno(error) in _NO_IPV6:
                return self.each([_ALL_IPV4])
            raise StartError(self._explain(error, "::")) from error
        listening: Any = first
        if not listening.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            return [first]
        try:
            return [first, *self.each([_ALL_IPV4])]  # the machine is set up so (net.ipv6.bindv6only)
        except StartError:
            first.stopListening()
            raise

    def _listen(self, address: str) -> IListeningPort:
        return self.reactor.listenTCP(self.port, self.factory, BACKLOG, address)

    def _explain(self, error: CannotListenError, address: str) -> str:
        everywhere = ip_address(address.partition("%")[0]).is_unspecified
        where = f"TCP port {self.port}" if everywhere else f"{address} port {self.port}"
        match _errno(error):
            case errno.EADDRINUSE:
                return f"{where} is in use: another pacserve may be running; stop it, or choose another port with {self.option}"
            case errno.EADDRNOTAVAIL:
                return f"{where} can't be listened on: {address} is no address of this host now; give one of its own to --bind"
            case errno.EACCES | errno.EPERM:
                return f"{where} can't be listened on without more rights: choose a port from 1024 up with {self.option}"
            case _:
                reason = plain_reason(error.socketError) if isinstance(error.socketError, OSError) else str(error.socketError)
                return f"{where} of {self.option} can't be listened on: {reason}"


def _adopt(reactor: ListeningReactor, factory: IProtocolFactory, descriptors: Sequence[int]) -> list[IListeningPort]:
    ports = []
    for descriptor in descriptors:
        try:
            with socket.socket(fileno=os.dup(descriptor)) as probe:
                family, kind = probe.family, probe.type
        except OSError as error:
            raise StartError(f"the service manager passed what is no socket: {plain_reason(error)}") from error
        if family not in (socket.AF_INET, socket.AF_INET6) or kind != socket.SOCK_STREAM:
            raise StartError("the service manager passed a socket that is not TCP: see ListenStream= in contrib/systemd/pacserve.socket")
        os.set_blocking(descriptor, False)  # systemd's sockets are blocking ones, and Twisted takes them as they are
        ports.append(reactor.adoptStreamPort(descriptor, family, factory))
        os.close(descriptor)  # the port listens on a copy of its own
    return ports


def _errno(error: CannotListenError) -> int | None:
    return getattr(error.socketError, "errno", None)
