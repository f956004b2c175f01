"""
UDP sockets of multicast groups, by interface: ip(7), ipv6(7), RFC 3542.

Twisted's own port would do for neither family: it tells neither where a datagram arrived nor the zone of its source.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from pacserve.discovery.announcement import DATAGRAM_LIMIT
from pacserve.network.addresses import IPAddress

# Bytes in which announcements wait while the reactor is busy: a thousand hosts that are switched on at once fit.
RECEIVE_BUFFER = 1 << 20

# linux/in.h and asm-generic/socket.h; Python 3.11 does not name them.
_IP_PKTINFO = 8
_SO_RCVBUFFORCE = 33

_INDEX_AND_SOURCE = struct.Struct("@i4s4s")  # struct in_pktinfo: interface, own address, address in the header
_ADDRESS_AND_INDEX = struct.Struct("@16sI")  # struct in6_pktinfo and struct ipv6_mreq
_MEMBERSHIP = struct.Struct("@4s4si")  # struct ip_mreqn: group, own address, interface
_ANCILLARY = socket.CMSG_SPACE(_INDEX_AND_SOURCE.size) + socket.CMSG_SPACE(_ADDRESS_AND_INDEX.size)


@dataclass(frozen=True, slots=True)
class Datagram:
    """
    A datagram, and the way by which it arrived.

    Attributes:
        payload: None where it was longer than an announcement may be.
        source: Without a zone.
        destination: A group, or an address of this machine.
        index: The interface that it arrived by.
    """

    payload: bytes | None
    source: IPAddress
    destination: IPAddress
    index: int


class GroupSocket(Protocol):
    """A UDP socket of one IP version that knows groups and interfaces.  A refusal of the kernel is an `OSError`."""

    @abstractmethod
    def fileno(self) -> int:
        """Returns the descriptor, which becomes readable when something arrives."""

    @abstractmethod
    def close(self) -> None:
        """Leaves all groups and gives the port back."""

    @abstractmethod
    def buffer(self) -> int:
        """Returns the bytes of the receive buffer, after all was done to make it `RECEIVE_BUFFER`."""

    @abstractmethod
    def join(self, group: IPAddress, index: int) -> None:
        """Joins a group on an interface; where it was joined already, it is left and joined at once, which is told to the switches."""

    @abstractmethod
    def leave(self, group: IPAddress, index: int) -> None:
        """Leaves a group on an interface, which may have gone already."""

    @abstractmethod
    def send(self, payload: bytes, group: IPAddress, index: int, source: IPAddress) -> None:
        """Sends by an interface, from one of its addresses.  It needs no route."""

    @abstractmethod
    def receive(self) -> Datagram | None:
        """
        Returns the next datagram; None for one whose destination the kernel does not tell.

        Raises:
            BlockingIOError: There is none.
        """


def open_socket(version: int, port: int) -> GroupSocket:
    """
    Opens a socket that shares the port with all other programs that share it: each of them hears what comes to a group.

    Raises:
        OSError: The kernel has no such IP version (EAFNOSUPPORT and others), or the port can't be had.
    """
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    this = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        # Not SO_REUSEPORT: it does no more for multicast, and is refused to daemons of different users.
        this.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _grow(this)
        if version == 4:
            return _IPv4GroupSocket(this, port)
        return _IPv6GroupSocket(this, port)
    except BaseException:
        this.close()
        raise


def _grow(this: socket.socket) -> None:
    if _buffer(this) >= RECEIVE_BUFFER:
        return
    try:
        this.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)  # with CAP_NET_ADMIN, beyond net.core.rmem_max
    except OSError:
        this.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def _buffer(this: socket.socket) -> int:
    return this.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel states the double (socket(7))


class _UDPGroupSocket(GroupSocket):
    """The part that both IP versions have in common."""

    def __init__(self, this: socket.socket) -> None:
        self._socket = this

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def buffer(self) -> int:
        return _buffer(self._socket)

    def join(self, group: IPAddress, index: int) -> None:
        with contextlib.suppress(OSError):  # as usual, it was not joined
            self.leave(group, index)
        self._set_membership(group, index, joined=True)

    def leave(self, group: IPAddress, index: int) -> None:
        self._set_membership(group, index, joined=False)

    def receive(self) -> Datagram | None:
        payload, ancillary, flags, address = self._socket.recvmsg(DATAGRAM_LIMIT, _ANCILLARY)
        arrival = self._arrival(ancillary)
        if arrival is None:
            return None
        destination, index = arrival
        return Datagram(None if flags & socket.MSG_TRUNC else payload, ip_address(address[0].partition("%")[0]), destination, index)

    @abstractmethod
    def _set_membership(self, group: IPAddress, index: int, *, joined: bool) -> None:
        """Joins or leaves."""

    @abstractmethod
    def _arrival(self, ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[IPAddress, int] | None:
        """Returns where a datagram was sent to, and the interface that it arrived by."""


class _IPv4GroupSocket(_UDPGroupSocket):
    def __init__(self, this: socket.socket, port: int) -> None:
        super().__init__(this)
        for option, value in ((_IP_PKTINFO, 1), (socket.IP_MULTICAST_TTL, 1), (socket.IP_MULTICAST_LOOP, 1)):
            this.setsockopt(socket.IPPROTO_IP, option, value)
        this.bind(("", port))
        self._port = port

    def _set_membership(self, group: IPAddress, index: int, *, joined: bool) -> None:
        option = socket.IP_ADD_MEMBERSHIP if joined else socket.IP_DROP_MEMBERSHIP
        self._socket.setsockopt(socket.IPPROTO_IP, option, _MEMBERSHIP.pack(group.packed, bytes(4), index))

    def send(self, payload: bytes, group: IPAddress, index: int, source: IPAddress) -> None:
        information = _INDEX_AND_SOURCE.pack(index, source.packed, bytes(4))
        self._socket.sendmsg([payload], [(socket.IPPROTO_IP, _IP_PKTINFO, information)], 0, (str(group), self._port))

    def _arrival(self, ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[IPAddress, int] | None:
        for level, kind, data in ancillary:
            if (level, kind, len(data)) == (socket.IPPROTO_IP, _IP_PKTINFO, _INDEX_AND_SOURCE.size):
                index, _, destination = _INDEX_AND_SOURCE.unpack(data)
                return ip_address(destination), index
        return None


class _IPv6GroupSocket(_UDPGroupSocket):
    def __init__(self, this: socket.socket, port: int) -> None:
        super().__init__(this)
        for option, value in (
            (socket.IPV6_V6ONLY, 1),
            (socket.IPV6_RECVPKTINFO, 1),
            (socket.IPV6_MULTICAST_HOPS, 1),
            (socket.IPV6_MULTICAST_LOOP, 1),
        ):
            this.setsockopt(socket.IPPROTO_IPV6, option, value)
        this.bind(("::", port))
        self._port = port

    def _set_membership(self, group: IPAddress, index: int, *, joined: bool) -> None:
        option = socket.IPV6_JOIN_GROUP if joined else socket.IPV6_LEAVE_GROUP
        self._socket.setsockopt(socket.IPPROTO_IPV6, option, _ADDRESS_AND_INDEX.pack(group.packed, index))

    def send(self, payload: bytes, group: IPAddress, index: int, source: IPAddress) -> None:
        information = _ADDRESS_AND_INDEX.pack(source.packed, index)
        self._socket.sendmsg([payload], [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, information)], 0, (str(group), self._port, 0, index))

    def _arrival(self, ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[IPAddress, int] | None:
        for level, kind, data in ancillary:
            if (level, kind, len(data)) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _ADDRESS_AND_INDEX.size):
                destination, index = _ADDRESS_AND_INDEX.unpack(data)
                return IPv6Address(destination), index
        return None
