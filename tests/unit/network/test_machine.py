"""Tests for `pacserve.network.machine`."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, ip_address

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.machine import REFRESH_INTERVAL, InterfaceAddresses, Machine, interfaces, read_interfaces, suspended

HOME = InterfaceAddresses(frozenset({IPv4Address("10.0.0.3")}), (IPv4Network("10.0.0.0/24"),))
CAFE = InterfaceAddresses(frozenset({IPv4Address("192.0.2.9")}), (IPv4Network("192.0.2.0/24"),))


class MachineTests(SynchronousTestCase):
    def test_own_addresses(self) -> None:
        """Loopback and the addresses of interfaces are this machine's own, a neighbour's is not."""
        machine = Machine(Clock(), lambda: HOME)
        for text, own in (("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.3", True), ("10.0.0.4", False)):
            self.assertEqual(machine.owns(ip_address(text)), own, text)

    def test_attached(self) -> None:
        """A neighbour is attached, a host behind a router is not."""
        machine = Machine(Clock(), lambda: HOME)
        self.assertTrue(machine.attached(IPv4Address("10.0.0.77")))
        self.assertFalse(machine.attached(IPv4Address("10.0.1.77")))
        self.assertFalse(machine.attached(IPv6Address("fd77::1")))

    def test_roaming(self) -> None:
        """After the refresh interval the addresses of a new network are known and the old ones forgotten."""
        clock, places = Clock(), [HOME, CAFE]
        machine = Machine(clock, lambda: places.pop(0))
        self.assertFalse(machine.owns(IPv4Address("192.0.2.9")))
        clock.advance(REFRESH_INTERVAL)
        self.assertTrue(machine.owns(IPv4Address("192.0.2.9")))
        self.assertFalse(machine.owns(IPv4Address("10.0.0.3")))

    def test_unreadable(self) -> None:
        """While the interfaces can't be read, what was known stays."""
        clock, broken = Clock(), [False]

        def read() -> InterfaceAddresses:
            if broken[0]:
                raise OSError(24, "Too many open files")
            return HOME

        machine = Machine(clock, read)
        broken[0] = True
        with capturedLogs() as events:
            for _ in range(3):
                clock.advance(REFRESH_INTERVAL)
                self.assertTrue(machine.owns(IPv4Address("10.0.0.3")))
        self.assertEqual([event["log_level"].name for event in events], ["warn"])
        self.assertIn("too many open files", events[0]["trouble"])

    def test_unreadable_at_the_start(self) -> None:
        """Interfaces that can't be read at the start are no reason not to start: loopback is known, and the others as soon as they can be read."""
        clock = Clock()
        answers: list[OSError | InterfaceAddresses] = [OSError(97, "Address family not supported by protocol"), HOME]

        def read() -> InterfaceAddresses:
            answer = answers.pop(0)
            if isinstance(answer, OSError):
                raise answer
            return answer

        with capturedLogs() as events:
            machine = Machine(clock, read)
        self.assertIn("AF_NETLINK", events[0]["trouble"])
        self.assertEqual((machine.owns(ip_address("127.0.0.1")), machine.owns(IPv4Address("10.0.0.3"))), (True, False))
        clock.advance(REFRESH_INTERVAL)
        self.assertTrue(machine.owns(IPv4Address("10.0.0.3")))

    def test_real_interfaces(self) -> None:
        """The kernel's answer is understood: loopback is there with its network."""
        found = read_interfaces()
        self.assertIn(IPv4Address("127.0.0.1"), found.addresses)
        self.assertIn(IPv4Network("127.0.0.0/8"), found.networks)

    def test_interfaces_by_name(self) -> None:
        """The kernel's interfaces are known by name and number: loopback has its address with the prefix, and no broadcast."""
        (loopback,) = (interface for interface in interfaces() if interface.name == "lo")
        self.assertIn(IPv4Interface("127.0.0.1/8"), loopback.addresses)
        self.assertGreater(loopback.index, 0)
        self.assertFalse(loopback.broadcast)

    def test_suspended(self) -> None:
        """The time that the machine has slept is known, and does not pass while it is awake."""
        self.assertLess(abs(suspended() - suspended()), 0.5)
