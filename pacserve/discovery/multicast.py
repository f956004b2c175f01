"""The LANs that this machine is in, by UDP multicast."""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pacserve.complaints import Complaints
from pacserve.discovery.link import LANLink, LANListener
from pacserve.discovery.memberships import Memberships
from pacserve.discovery.sockets import RECEIVE_BUFFER, Datagram, GroupSocket, open_socket
from pacserve.errors import StartError, plain_reason, reason_of
from pacserve.network.addresses import IPAddress
from pacserve.network.usable import Interface, sources, usable

# Seconds between two readings of the interfaces: what changed is noticed within 5 s also when the reactor is busy.
POLL_INTERVAL = 2.0
# Seconds of suspension that others may have noticed.
_LONG_SLEEP = 5.0
# Datagrams that are taken in one turn of the reactor, some 0.4 ms, so that a flood does not keep pacman waiting.
_DATAGRAMS_PER_TURN = 8

# The kernel has no such IP version, or it was switched off.
_NO_SUCH_VERSION = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL, errno.ENOPROTOOPT})

_Source = tuple[IPAddress, int]


class ReadingReactor(Protocol):
    """The part of a reactor that reading needs (IReactorFDSet)."""

    def addReader(self, reader: IReadDescriptor) -> None: ...  # noqa: N802

    def removeReader(self, reader: IReadDescriptor) -> None: ...  # noqa: N802


@dataclass(frozen=True, slots=True)
class MulticastSettings:
    """
    The options of multicast.

    Attributes:
        groups: Multicast addresses of either version; a version of which there is none is not used.
        interfaces: The names of the interfaces to use (`usable`); empty for all that will do.
    """

    groups: Sequence[IPAddress]
    port: int
    interfaces: Collection[str]


@dataclass(frozen=True, slots=True)
class Kernel:
    """
    The part of the operating system that multicast needs.

    Attributes:
        interfaces: Reads the interfaces as they are now.
        suspended: Gives the seconds that the machine has slept so far.
        open_socket: Opens a socket of an IP version at a port.
    """

    interfaces: Callable[[], Sequence[Interface]]
    suspended: Callable[[], float]
    open_socket: Callable[[int, int], GroupSocket] = open_socket


class MulticastLink(LANLink):
    """
    Sends to groups and hears them, on each usable interface separately: neither needs a route.

    Datagrams that arrive by other interfaces or were not sent to one of the groups are ignored.  Interfaces are read every `POLL_INTERVAL`, and what
    the kernel refused is tried again then.

    Args:
        kernel: The part of the operating system that knows interfaces and opens sockets.
    """

    _log = Logger()

    def __init__(self, settings: MulticastSettings, kernel: Kernel, reactor: ReadingReactor, clock: IReactorTime) -> None:
        self._groups = tuple(dict.fromkeys(settings.groups))
        self._port = settings.port
        self._names = settings.interfaces
        self._kernel = kernel
        self._reactor = reactor
        self._clock = clock
        self._listener: LANListener | None = None
        self._receivers: dict[int, _Receiver] = {}
        self._interfaces: dict[int, Interface] = {}
        self._absent: set[str] = set()
        self._memberships = Memberships(clock)
        self._complaints = Complaints(self._log)
        self._unsent: dict[_Source, bytes] = {}
        self._slept = 0.0
        self._logged_small_buffer = False
        self._timer: IDelayedCall | None = None

    def start(self, listener: LANListener) -> None:
        try:
            self._open()
        except OSError as error:
            self._close()
            raise StartError(_explain(error, self._port)) from error
        self._listener = listener
        self._slept = self._kernel.suspended()
        self._update()
        self._log.info("discovery on {interfaces}, UDP port {port}", interfaces=self._in_use(), port=self._port)
        self._timer = self._clock.callLater(POLL_INTERVAL, self._poll)

    def stop(self) -> None:
        self._listener = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close()

    def send(self, payload: bytes, version: int) -> None:
        for interface in self._interfaces.values():
            for source in sources(interface, version):
                self._send_from(source, interface.index, payload)

    def _send_from(self, source: IPAddress, index: int, payload: bytes) -> None:
        self._unsent.pop((source, index), None)
        receiver = self._receivers.get(source.version)
        if receiver is None:
            return
        for group in self._groups_of(source.version):
            try:
                receiver.socket.send(payload, group, index, source)
            except OSError as error:
                self._log.debug("not sent to {group} from {source}: {reason}", group=group, source=source, reason=plain_reason(error))
                # An IPv6 address is not used before it is known to be nobody else's, which takes a second or two (RFC 4862, 5.4).
                if error.errno == errno.EADDRNOTAVAIL:
                    self._unsent[source, index] = payload
                elif error.errno in (errno.EPERM, errno.EACCES):
                    self._complaints.about(("send", index, source.version), _explain_sending(error, group, self._port))
            else:
                self._complaints.about(("send", index, source.version), "")

    def _groups_of(self, version: int) -> Sequence[IPAddress]:
        return [group for group in self._groups if group.version == version]

    def _open(self) -> None:
        """
        Opens the sockets that are missing, as far as the kernel has their IP version.

        Raises:
            OSError: The port can't be had.
        """
        for version in {group.version for group in self._groups} - set(self._receivers):
            try:
                opened = self._kernel.open_socket(version, self._port)
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES, errno.EPERM):
                    raise
                self._log.debug("no UDP over IPv{version}: {reason}", version=version, reason=plain_reason(error))
                if error.errno not in _NO_SUCH_VERSION:
                    trouble = f"no socket for discovery over IPv{version}: {reason_of(error)}; it is tried again every {POLL_INTERVAL:.0f} s"
                    self._complaints.about(("socket", version), trouble)
                continue
            self._complaints.about(("socket", version), "")
            self._receivers[version] = receiver = _Receiver(opened, self._datagram_received, partial(self._lost, version))
            self._reactor.addReader(receiver)
            self._log_small_buffer(opened.buffer())

    def _log_small_buffer(self, size: int) -> None:
        if size < RECEIVE_BUFFER and not self._logged_small_buffer:
            self._logged_small_buffer = True
            self._log.info(
                "announcements have a receive buffer of {size} KiB: a large LAN needs {wanted} KiB, so set the sysctl net.core.rmem_max to {bytes}",
                size=size >> 10,
                wanted=RECEIVE_BUFFER >> 10,
                bytes=RECEIVE_BUFFER,
            )

    def _close(self) -> None:
        for version, receiver in self._receivers.items():
            self._reactor.removeReader(receiver)
            receiver.socket.close()
            self._memberships.forget(version)
        self._receivers.clear()
        self._interfaces.clear()
        self._unsent.clear()

    def _lost(self, version: int) -> None:
        """Closes a socket that the reactor gave up, as may happen when a network fails; the next poll opens another one."""
        receiver = self._receivers.pop(version, None)
        if receiver is not None:
            receiver.socket.close()
            self._memberships.forget(version)

    def _poll(self) -> None:
        self._timer = self._clock.callLater(POLL_INTERVAL, self._poll)
        try:
            self._open()
        except OSError as error:
            self._complaints.about("port", _explain(error, self._port))
        else:
            self._complaints.about("port", "")
        try:
            changed = self._update()
            self._send_again()
            if self._woke_up() or changed:
                self._log.info("discovery starts afresh on {interfaces}", interfaces=self._in_use())
                if self._listener is not None:
                    self._listener.network_changed()
        except Exception:
            self._log.failure("reading the interfaces")

    def _update(self) -> bool:
        """Joins and leaves according to the interfaces as they are now, and says whether those changed."""
        try:
            found = self._kernel.interfaces()
        except OSError as error:
            trouble = f"the interfaces can't be read: {reason_of(error)}; discovery goes on with those that were known"
            self._complaints.about("interfaces", trouble)
            return False
        self._complaints.about("interfaces", "")
        self._look_for_named(found)
        now = {interface.index: interface for interface in usable(found, self._names)}
        changed = _relevant(now.values()) != _relevant(self._interfaces.values())
        self._interfaces = now
        wanted = {(group, index) for index, interface in now.items() for group in self._groups if sources(interface, group.version)}
        self._memberships.keep(wanted, {version: receiver.socket for version, receiver in self._receivers.items()})
        return changed

    def _look_for_named(self, found: Sequence[Interface]) -> None:
        """Warns of each interface that the user named and that this host does not have, once while it has not."""
        before, self._absent = self._absent, set(self._names) - {interface.name for interface in found}
        for name in sorted(self._absent - before):
            others = ", ".join(sorted(interface.name for interface in usable(found))) or "none that reaches a LAN"
            trouble = f"--interface {name}: there is no such interface, and it is used as soon as there is; this host has {others}"
            self._log.warn("{trouble}", trouble=trouble)

    def _send_again(self) -> None:
        unsent, self._unsent = self._unsent, {}
        for (source, index), payload in unsent.items():
            if index in self._interfaces and source in sources(self._interfaces[index], source.version):
                self._send_from(source, index, payload)

    def _woke_up(self) -> bool:
        before, self._slept = self._slept, self._kernel.suspended()
        return self._slept - before > _LONG_SLEEP

    def _in_use(self) -> str:
        used = {interface.name for interface in self._interfaces.values()}
        missing = f" (there is no {', '.join(sorted(set(self._names) - used))} with an address)" if set(self._names) - used else ""
        return (", ".join(sorted(used)) or "no interface yet") + missing

    def _datagram_received(self, datagram: Datagram) -> None:
        interface = self._interfaces.get(datagram.index)
        if interface is None or datagram.destination not in self._groups or self._listener is None:
            return
        if datagram.payload is None:
            self._log.debug("a datagram of {source} is too long", source=datagram.source)
            return
        source = datagram.source
        if isinstance(source, IPv6Address) and source.ipv4_mapped is not None:
            return  # no host may send from such an address (RFC 4291, 2.5.5.2, and RFC 6890)
        zone = f"%{interface.name}" if source.version == 6 and source.is_link_local else ""
        self._listener.datagram_received(datagram.payload, f"{source}{zone}")


@implementer(IReadDescriptor)
class _Receiver:
    """
    Reads a socket whenever the reactor says so.  No exception may reach the reactor, which would then never read the socket again.

    Args:
        lost: Called when the reactor will not read the socket any more.
    """

    _log = Logger()

    def __init__(self, opened: GroupSocket, received: Callable[[Datagram], None], lost: Callable[[], None]) -> None:
        self.socket = opened
        self._received = received
        self._lost = lost

    def doRead(self) -> None:  # noqa: N802
        for _ in range(_DATAGRAMS_PER_TURN):
            try:
                datagram = self.socket.receive()
            except BlockingIOError:
                return
            except OSError as error:  # the listener that was just told of a datagram may have closed the socket
                self._log.debug("nothing received: {reason}", reason=plain_reason(error))
                return
            try:
                if datagram is not None:
                    self._received(datagram)
            except Exception:
                self._log.failure("receiving a datagram")

    def fileno(self) -> int:
        return self.socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802
        return "multicast"

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        self._lost()


def _relevant(interfaces: Collection[Interface]) -> set[object]:
    """Returns the part of the interfaces whose change is a change of the network; the order of the addresses is not."""
    return {(interface.index, interface.name, frozenset(interface.addresses)) for interface in interfaces}


def _explain_sending(error: OSError, group: IPAddress, port: int) -> str:
    return f"announcements can't be sent to {group}: {reason_of(error)}; a firewall of this host may forbid it: let UDP port {port} out"


def _explain(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"UDP port {port} is in use by a program that does not share it: stop it, or choose another port with --multicast-port"
    return f"UDP port {port} can't be opened without more rights: choose a port from 1024 up with --multicast-port"
