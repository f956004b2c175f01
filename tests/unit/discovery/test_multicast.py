"""Tests for `pacserve.discovery.multicast`."""

import errno
import os
from collections.abc import Collection, Sequence
from ipaddress import ip_address, ip_interface

from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.link import LANListener
from pacserve.discovery.multicast import POLL_INTERVAL, Kernel, MulticastLink, MulticastSettings
from pacserve.discovery.sockets import Datagram, GroupSocket
from pacserve.errors import StartError
from pacserve.network.addresses import IPAddress
from pacserve.network.usable import Interface
from tests.fakes.groups import MemoryGroupSocket
from tests.fakes.sockets import HandReactor

ALL, ALL6 = ip_address("224.0.0.1"), ip_address("ff02::1")
CABLE = Interface("eth0", 2, tuple(map(ip_interface, ("10.0.0.3/24", "10.1.0.3/24", "fd77::3/64", "fe80::3/64"))), broadcast=True)
RADIO = Interface("wlan0", 3, (ip_interface("fe80::4/64"),))


class Recorder(LANListener):
    """
    Remembers what it is told.

    Attributes:
        defect: Raised whenever it is told something.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, str]] = []
        self.changes = 0
        self.defect: Exception | None = None

    def datagram_received(self, payload: bytes, source: str) -> None:
        self.heard.append((payload, source))
        if self.defect is not None:
            raise self.defect

    def network_changed(self) -> None:
        self.changes += 1
        if self.defect is not None:
            raise self.defect


class MulticastLinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = HandReactor()
        self.clock = Clock()
        self.interfaces = [CABLE, RADIO]
        self.unreadable = False
        self.slept = 0.0
        self.sockets: dict[int, MemoryGroupSocket] = {}
        self.missing: dict[int, int] = {}
        self.size = 1 << 20
        self.listener = Recorder()
        self.link = self.make_link()

    def make_link(self, groups: Collection[IPAddress] = (ALL, ALL6), names: Collection[str] = ()) -> MulticastLink:
        """A link in this world."""
        return MulticastLink(
            MulticastSettings(tuple(groups), 15679, names),
            Kernel(self.read_interfaces, lambda: self.slept, self.open_socket),
            self.reactor,
            self.clock,
        )

    def read_interfaces(self) -> Sequence[Interface]:
        """Reads the interfaces, unless they are unreadable."""
        if self.unreadable:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self.interfaces

    def open_socket(self, version: int, port: int) -> GroupSocket:
        """Opens a socket, unless it is in `missing`."""
        self.assertEqual(port, 15679)
        if version in self.missing:
            raise OSError(self.missing[version], os.strerror(self.missing[version]))
        self.sockets[version] = MemoryGroupSocket(self.size)
        return self.sockets[version]

    def poll(self) -> None:
        """Lets time pass until the interfaces are looked at again."""
        self.clock.advance(POLL_INTERVAL)

    def receive(self, *datagrams: Datagram | Exception | None, version: int = 4) -> None:
        """Lets datagrams arrive, and the reactor see them once."""
        self.sockets[version].incoming += datagrams
        for reader in list(self.reactor.readers):
            reader.doRead()

    def warnings(self, events: Sequence[LogEvent]) -> list[str]:
        """What was warned of."""
        return [event["trouble"] for event in events if event["log_level"].name == "warn"]

    def test_nothing_before_start(self) -> None:
        """A link that was not started has opened nothing, and sending is harmless; so it is after the end."""
        self.link.send(b"x", 4)
        self.assertEqual(self.sockets, {})
        self.link.start(self.listener)
        self.link.stop()
        self.link.send(b"x", 4)
        self.assertEqual([this.sent for this in self.sockets.values()], [[], []])

    def test_joins(self) -> None:
        """The groups of a version are joined on the interfaces that have addresses of it."""
        self.link.start(self.listener)
        self.assertEqual(self.sockets[4].calls, [("join", ALL, 2)])
        self.assertEqual(sorted(self.sockets[6].calls), [("join", ALL6, 2), ("join", ALL6, 3)])

    def test_send(self) -> None:
        """A datagram goes to each group of its version, by every interface, from each address that stands for a network."""
        self.link.start(self.listener)
        self.link.send(b"four", 4)
        self.link.send(b"six", 6)
        self.assertEqual(self.sockets[4].sent, [(b"four", ALL, 2, ip_address("10.0.0.3")), (b"four", ALL, 2, ip_address("10.1.0.3"))])
        self.assertEqual(self.sockets[6].sent, [(b"six", ALL6, 2, ip_address("fd77::3")), (b"six", ALL6, 3, ip_address("fe80::4"))])

    def test_send_failure(self) -> None:
        """What one interface refuses is still sent by the others, and nothing is raised."""
        self.link.start(self.listener)
        self.sockets[6].refusals = [errno.ENETUNREACH]
        self.link.send(b"six", 6)
        self.poll()
        self.assertEqual(self.sockets[6].sent, [(b"six", ALL6, 3, ip_address("fe80::4"))])

    def test_address_not_ready(self) -> None:
        """What could not be sent from an address that is not ready yet is sent once it is, and only the last of it."""
        self.link.start(self.listener)
        for payload in (b"old", b"new"):
            self.sockets[6].refusals = [errno.EADDRNOTAVAIL]
            self.link.send(payload, 6)
        self.sockets[6].sent.clear()
        self.sockets[6].refusals = [errno.EADDRNOTAVAIL]
        for _ in range(3):
            self.poll()
        self.assertEqual(self.sockets[6].sent, [(b"new", ALL6, 2, ip_address("fd77::3"))])

    def test_sent_meanwhile(self) -> None:
        """An older datagram does not follow a newer one."""
        self.link.start(self.listener)
        self.sockets[6].refusals = [errno.EADDRNOTAVAIL]
        self.link.send(b"old", 6)
        self.link.send(b"new", 6)
        self.poll()
        self.assertNotIn((b"old", ALL6, 2, ip_address("fd77::3")), self.sockets[6].sent)

    def test_address_gone(self) -> None:
        """Nothing is sent any more from an address that has gone, alone or with its interface."""
        self.link.start(self.listener)
        for interfaces in ([RADIO], [Interface("eth0", 2, CABLE.addresses[:2], broadcast=True)]):
            self.sockets[6].refusals = [errno.EADDRNOTAVAIL]
            self.link.send(b"old", 6)
            self.sockets[6].sent.clear()
            self.interfaces = interfaces
            self.poll()
            self.assertEqual(self.sockets[6].sent, [])
            self.interfaces = [CABLE]
            self.poll()

    def test_receive(self) -> None:
        """What comes to a group is told with its source, a link-local one with the zone that it arrived by."""
        self.link.start(self.listener)
        self.receive(Datagram(b"a", ip_address("10.0.0.4"), ALL, 2))
        self.receive(Datagram(b"b", ip_address("fd77::4"), ALL6, 2), Datagram(b"c", ip_address("fe80::9"), ALL6, 3), version=6)
        self.assertEqual(self.listener.heard, [(b"a", "10.0.0.4"), (b"b", "fd77::4"), (b"c", "fe80::9%wlan0")])

    def test_ignored(self) -> None:
        """Ignored: another interface, unicast, a stranger's group, what is too long, what came nobody knows how, and IPv4-mapped sources."""
        self.link.start(self.listener)
        source = ip_address("10.0.0.4")
        self.receive(
            Datagram(b"x", source, ALL, 9),
            Datagram(b"x", source, ip_address("10.0.0.3"), 2),
            Datagram(b"x", source, ip_address("224.0.0.2"), 2),
            Datagram(None, source, ALL, 2),
            None,
        )
        self.receive(Datagram(b"x", ip_address("::ffff:10.0.0.4"), ALL6, 2), version=6)
        self.assertEqual(self.listener.heard, [])

    def test_bounded_turn(self) -> None:
        """A flood takes 8 datagrams of a turn and leaves the rest to the next ones."""
        self.link.start(self.listener)
        self.receive(*[Datagram(b"x", ip_address("10.0.0.4"), ALL, 2)] * 20)
        self.assertEqual(len(self.listener.heard), 8)
        self.receive()
        self.receive()
        self.assertEqual(len(self.listener.heard), 20)

    def test_defect_of_listener(self) -> None:
        """A defect of the listener is logged, and the next datagram and the next change are told all the same."""
        self.link.start(self.listener)
        self.listener.defect = OSError("a defect")
        self.receive(*[Datagram(b"x", ip_address("10.0.0.4"), ALL, 2)] * 2)
        for interfaces in ([CABLE], [RADIO]):
            self.interfaces = interfaces
            self.poll()
        self.assertEqual((len(self.listener.heard), self.listener.changes), (2, 2))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 4)

    def test_kernel_errors(self) -> None:
        """An error of the kernel ends the turn only."""
        self.link.start(self.listener)
        self.receive(OSError(errno.ENETDOWN, "down"), Datagram(b"x", ip_address("10.0.0.4"), ALL, 2))
        self.receive()
        self.assertEqual(self.listener.heard, [(b"x", "10.0.0.4")])

    def test_stopped_by_listener(self) -> None:
        """A listener that stops the link hears no more of the same turn."""
        link, heard = self.link, self.listener.heard

        class Stopping(Recorder):
            def datagram_received(self, payload: bytes, source: str) -> None:
                heard.append((payload, source))
                link.stop()

        link.start(Stopping())
        self.receive(*[Datagram(b"x", ip_address("10.0.0.4"), ALL, 2)] * 2)
        self.assertEqual(len(heard), 1)

    def test_changes(self) -> None:
        """What comes, goes, is made anew or changes an address is told; the same again, even in another order, is not."""
        self.link.start(self.listener)
        again = Interface("wlan0", 8, RADIO.addresses)
        moved = Interface("wlan0", 8, (ip_interface("fe80::5/64"),))
        shuffled = Interface("eth0", 2, tuple(reversed(CABLE.addresses)), broadcast=True)
        for number, interfaces in enumerate([[CABLE, RADIO], [CABLE], [CABLE, RADIO], [CABLE, again], [CABLE, moved], [moved, shuffled]]):
            self.interfaces = interfaces
            self.poll()
            self.assertEqual(self.listener.changes, min(number, 4))
        self.assertEqual(
            self.sockets[6].calls[2:],
            [("leave", ALL6, 3), ("join", ALL6, 3), ("leave", ALL6, 3), ("join", ALL6, 8)],
        )

    def test_unused_interfaces(self) -> None:
        """What happens to interfaces that are not in use is nobody's business."""
        self.link = self.make_link(names=["eth0"])
        self.link.start(self.listener)
        self.interfaces = [CABLE]
        self.poll()
        self.assertEqual(self.listener.changes, 0)
        self.assertEqual(self.sockets[6].calls, [("join", ALL6, 2)])

    def test_suspended(self) -> None:
        """A machine that slept starts afresh, once for each sleep that others may have noticed."""
        self.link.start(self.listener)
        for slept, changes in ((4.0, 0), (4.0, 0), (604.0, 1), (604.0, 1), (700.0, 2)):
            self.slept = slept
            self.poll()
            self.assertEqual(self.listener.changes, changes)

    def test_interfaces_can_not_be_read(self) -> None:
        """Interfaces that can't be read, at the start and later, are one warning, and those that were known are used until they can."""
        for from_the_start, changes in ((True, 1), (False, 0)):
            self.listener.changes = 0
            link = self.make_link()
            self.unreadable = from_the_start
            with capturedLogs() as events:
                link.start(self.listener)
                self.unreadable = True
                self.clock.pump([POLL_INTERVAL] * 3)
            self.assertEqual(
                self.warnings(events), ["the interfaces can't be read: too many open files; discovery goes on with those that were known"]
            )
            self.unreadable = False
            self.poll()
            self.assertEqual(self.listener.changes, changes)
            link.stop()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_no_socket_left(self) -> None:
        """A socket that can't be opened, and a port that can't be had any more, are one warning each; an IP version that is switched off is none."""
        self.missing = {4: errno.EMFILE, 6: errno.EAFNOSUPPORT}
        with capturedLogs() as events:
            self.link.start(self.listener)
            self.clock.pump([POLL_INTERVAL] * 3)
            self.missing[4] = errno.EADDRINUSE
            self.clock.pump([POLL_INTERVAL] * 3)
        first, second = self.warnings(events)
        self.assertIn("no socket for discovery over IPv4: too many open files", first)
        self.assertIn("UDP port 15679 is in use", second)

    def test_firewall(self) -> None:
        """A firewall of this host that lets nothing out is one warning, which is forgotten when something went out."""
        self.link = self.make_link([ALL])
        self.link.start(self.listener)
        with capturedLogs() as events:
            for refusals, count in (([errno.EPERM] * 9, 1), ([errno.EPERM] * 9, 1), ([], 1), ([errno.EPERM] * 9, 2)):
                self.sockets[4].refusals = refusals
                self.link.send(b"x", 4)
                self.assertEqual(len(self.warnings(events)), count)
        self.assertIn("let UDP port 15679 out", self.warnings(events)[0])

    def test_reading_fails(self) -> None:
        """Interfaces that can't be read once are read again."""
        self.link.start(self.listener)
        interfaces, self.interfaces = self.interfaces, None  # type: ignore[assignment]
        self.poll()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.interfaces = interfaces[:1]
        self.poll()
        self.assertEqual(self.listener.changes, 1)

    def test_missing_family(self) -> None:
        """A machine without one of the IP versions uses the other one, and the first as soon as there is one."""
        for version, error in ((6, errno.EAFNOSUPPORT), (4, errno.EADDRNOTAVAIL)):
            self.missing = {version: error}
            self.sockets.clear()
            link = self.make_link()
            link.start(self.listener)
            link.send(b"x", version)
            self.assertEqual(list(self.sockets), [10 - version])
            self.missing = {}
            self.poll()
            self.assertTrue(self.sockets[version].calls)
            link.stop()

    def test_unused_family(self) -> None:
        """A version of which there is no group is not used."""
        self.link = self.make_link([ALL6])
        self.link.start(self.listener)
        self.assertEqual(list(self.sockets), [6])

    def test_port_in_use(self) -> None:
        """A port that can't be had ends the start with a line that says what to do, and nothing stays open."""
        for version in (4, 6):
            for error, text in ((errno.EADDRINUSE, "does not share it"), (errno.EACCES, "from 1024 up")):
                self.missing = {version: error}
                self.sockets.clear()
                failure = self.assertRaises(StartError, self.make_link().start, self.listener)
                self.assertIn("UDP port 15679", str(failure))
                self.assertIn(text, str(failure))
                self.assertTrue(all(this.closed for this in self.sockets.values()))
        self.assertEqual((self.reactor.readers, self.clock.getDelayedCalls()), (set(), []))

    def test_lost_socket(self) -> None:
        """A socket that the reactor gives up is opened and joined again at the next look, even if the port is in use until then."""
        self.link.start(self.listener)
        (ear,) = (reader for reader in self.reactor.readers if reader.socket is self.sockets[4])
        self.reactor.removeReader(ear)
        ear.connectionLost(Failure(OSError()))
        lost = self.sockets.pop(4)
        self.assertTrue(lost.closed)
        self.missing = {4: errno.EADDRINUSE}
        self.poll()
        self.missing = {}
        self.poll()
        self.assertEqual(self.sockets[4].calls, [("join", ALL, 2)])
        self.assertEqual(self.sockets[6].calls.count(("join", ALL6, 2)), 1)
        self.assertEqual(self.listener.changes, 0)

    def test_stop(self) -> None:
        """After the end nothing is open, nothing is waited for, and nothing is told."""
        self.link.start(self.listener)
        self.link.stop()
        self.assertTrue(all(this.closed for this in self.sockets.values()))
        self.assertEqual((self.reactor.readers, self.clock.getDelayedCalls()), (set(), []))
        self.link.stop()

    def test_start_again(self) -> None:
        """A link that was stopped can be started again, and joins all of its groups."""
        for _ in range(2):
            self.link.start(self.listener)
            self.assertEqual(self.sockets[4].calls, [("join", ALL, 2)])
            self.link.stop()

    def test_interface_that_is_not_there(self) -> None:
        """The log names the interfaces that are used, and those that were asked for in vain."""
        for names, line in (((), "eth0, wlan0"), (("eth0",), "eth0"), (("eth0", "eth7"), "eth0 (there is no eth7 with an address)")):
            link = self.make_link(names=names)
            with capturedLogs() as events:
                link.start(self.listener)
                link.stop()
            self.assertIn(line, [event.get("interfaces") for event in events])

    def test_named_interface(self) -> None:
        """An interface that the user named and that is not there is one warning, which names those that are; again when it has gone again."""
        link = self.make_link(names=("eht0", "wlan0"))
        told = "--interface eht0: there is no such interface, and it is used as soon as there is; this host has "
        with capturedLogs() as events:
            link.start(self.listener)
            self.poll()
            self.interfaces = [CABLE]  # wlan0 goes, and the first line is not told again for that
            self.poll()
            self.interfaces = [Interface("eht0", 9, ()), RADIO]
            self.poll()
            self.interfaces = [RADIO]
            self.poll()
            link.stop()
        self.assertEqual(
            self.warnings(events), [f"{told}eth0, wlan0", "--interface wlan0" + told.removeprefix("--interface eht0") + "eth0", f"{told}wlan0"]
        )

    def test_small_buffer(self) -> None:
        """A receive buffer that is too small is told once, with the sysctl that changes it; a large one is not."""
        self.assertEqual(self.buffer_lines(), 0)
        self.size = 212_992
        self.assertEqual(self.buffer_lines(), 1)

    def buffer_lines(self) -> int:
        """How often a start names the sysctl."""
        with capturedLogs() as events:
            self.link.start(self.listener)
            self.link.stop()
        return sum("net.core.rmem_max" in str(event["log_format"]) for event in events)
