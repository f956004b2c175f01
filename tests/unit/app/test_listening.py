"""Tests for `pacserve.app.listening`."""

import errno
import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.listening import BACKLOG, close, listen, listen_for_apt, listen_on_loopback, unused_options
from pacserve.errors import StartError


class FakePort:
    """A listening port that knows whether it is open."""

    def __init__(self, v6only: int) -> None:
        self.socket = self
        self.v6only = v6only
        self.open = True

    def getsockopt(self, *_: int) -> int:
        """IPV6_V6ONLY."""
        return self.v6only

    def stopListening(self) -> None:  # noqa: N802
        """Closes it."""
        self.open = False


class FakeReactor:
    """A reactor that fails to listen on some addresses."""

    def __init__(self, failing: dict[str, int] | None = None, v6only: int = 0) -> None:
        self.failing = failing or {}
        self.v6only = v6only
        self.listening: dict[str, FakePort] = {}
        self.adopted: list[tuple[int, Any]] = []

    def listenTCP(self, port: int, factory: object, backlog: int, interface: str) -> Any:  # noqa: N802
        """Opens a port, or fails as Twisted does."""
        assert backlog == BACKLOG
        if interface in self.failing:
            raise CannotListenError(interface, port, OSError(self.failing[interface], os.strerror(self.failing[interface])))
        self.listening[interface] = FakePort(self.v6only)
        return self.listening[interface]

    def adoptStreamPort(self, descriptor: int, family: Any, factory: object) -> Any:  # noqa: N802
        """Takes over a socket."""
        self.adopted.append((os.dup(descriptor), family))
        return FakePort(0)


class ListenTests(SynchronousTestCase):
    def refused(self, reactor: FakeReactor, bind: tuple[str, ...] = ()) -> str:
        """The message with which it refuses to start."""
        with self.assertRaises(StartError) as caught:
            listen(reactor, Factory(), bind, 15678, ())
        return str(caught.exception)

    def test_everywhere(self) -> None:
        """By default one socket takes IPv6 and IPv4."""
        reactor = FakeReactor()
        listen(reactor, Factory(), (), 15678, ())
        self.assertEqual(list(reactor.listening), ["::"])

    def test_no_ipv6(self) -> None:
        """Where there is no IPv6 it listens on IPv4."""
        reactor = FakeReactor({"::": errno.EAFNOSUPPORT})
        listen(reactor, Factory(), (), 15678, ())
        self.assertEqual(list(reactor.listening), ["0.0.0.0"])

    def test_bindv6only(self) -> None:
        """Where the machine keeps IPv6 sockets from taking IPv4 there is a second one."""
        reactor = FakeReactor(v6only=1)
        listen(reactor, Factory(), (), 15678, ())
        self.assertEqual(list(reactor.listening), ["::", "0.0.0.0"])

    def test_port_in_use(self) -> None:
        """A port in use is said in one line that names the port and the way out."""
        self.assertRegex(self.refused(FakeReactor({"::": errno.EADDRINUSE})), r"\ATCP port 15678 is in use.*--port\Z")

    def test_foreign_address(self) -> None:
        """An address of another host is named, and what was opened before is closed."""
        reactor = FakeReactor({"10.9.9.9": errno.EADDRNOTAVAIL})
        self.assertIn("10.9.9.9 is no address of this host", self.refused(reactor, ("127.0.0.1", "10.9.9.9")))
        self.assertFalse(reactor.listening["127.0.0.1"].open)

    def test_no_rights(self) -> None:
        """A port that needs rights is said to need them."""
        self.assertIn("more rights", self.refused(FakeReactor({"::": errno.EACCES})))

    def test_other_trouble(self) -> None:
        """Any other reason is given in the words of the system."""
        self.assertIn("cannot allocate memory", self.refused(FakeReactor({"::": errno.ENOMEM})))

    def test_wildcard_takes_all(self) -> None:
        """Beside :: no further address is opened, since it takes them all."""
        reactor = FakeReactor()
        listen(reactor, Factory(), ("127.0.0.1", "::"), 15678, ())
        self.assertEqual(list(reactor.listening), ["::"])

    def test_inherited(self) -> None:
        """A socket of the service manager is used instead of opening one."""
        reactor = FakeReactor()
        with socket.create_server(("127.0.0.1", 0)) as server:
            listen(reactor, Factory(), ("127.0.0.1",), 15678, (os.dup(server.fileno()),))
        self.assertEqual(reactor.listening, {})
        self.assertEqual([family for _, family in reactor.adopted], [socket.AF_INET])
        for descriptor, _ in reactor.adopted:
            os.close(descriptor)

    def test_inherited_nonsense(self) -> None:
        """Something else than a TCP socket from the service manager is refused."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, self.assertRaisesRegex(StartError, "not TCP"):
            listen(FakeReactor(), Factory(), (), 15678, (other.fileno(),))
        with Path(os.devnull).open("rb") as file, self.assertRaisesRegex(StartError, "no socket"):
            listen(FakeReactor(), Factory(), (), 15678, (file.fileno(),))


class AptTests(SynchronousTestCase):
    def opened(self, *bind: str, clients: bool, reactor: FakeReactor | None = None) -> list[str]:
        """The addresses that are listened on."""
        reactor = reactor or FakeReactor()
        ports = listen_for_apt(reactor, Factory(), bind, 9988, clients=clients)
        self.assertEqual(len(ports), len(reactor.listening))
        return list(reactor.listening)

    def test_this_host(self) -> None:
        """Without clients this host alone can ask, whatever the addresses of --bind; it need not have IPv6."""
        self.assertEqual(self.opened(clients=False), ["127.0.0.1", "::1"])
        self.assertEqual(self.opened("10.0.0.2", clients=False), ["127.0.0.1", "::1"])
        for missing in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            self.assertEqual(self.opened(clients=False, reactor=FakeReactor({"::1": missing})), ["127.0.0.1"])

    def test_clients(self) -> None:
        """With clients the addresses of --bind are listened on, all of them by default; this host can always ask."""
        self.assertEqual(self.opened(clients=True), ["::"])
        self.assertEqual(self.opened(clients=True, reactor=FakeReactor(v6only=1)), ["::", "0.0.0.0"])
        self.assertEqual(self.opened("10.0.0.2", "::", clients=True), ["::"])
        self.assertEqual(self.opened("10.0.0.2", clients=True), ["10.0.0.2", "127.0.0.1", "::1"])
        self.assertEqual(self.opened("fe80::1%eth0", "0.0.0.0", clients=True), ["fe80::1%eth0", "0.0.0.0", "::1"])
        self.assertEqual(self.opened("127.0.0.1", "0:0::1", clients=True), ["127.0.0.1", "0:0::1"])

    def test_failures(self) -> None:
        """A port or an address that can't be had is said with the option that changes it, and nothing is left open."""
        for failing, clients, words in (
            ({"127.0.0.1": errno.EADDRINUSE}, False, r"127.0.0.1 port 9988 is in use.* --apt-port\Z"),
            ({"::1": errno.EADDRINUSE}, False, r"::1 port 9988 is in use.* --apt-port\Z"),
            ({"::1": errno.EACCES}, False, "more rights.* --apt-port"),
            ({"127.0.0.1": errno.ENOMEM}, False, "of --apt-port can.t be listened on: cannot allocate memory"),
            ({"10.0.0.2": errno.EADDRNOTAVAIL}, True, "10.0.0.2 is no address of this host.*--bind"),
        ):
            reactor = FakeReactor(failing)
            with self.assertRaisesRegex(StartError, words):
                listen_for_apt(reactor, Factory(), ("10.0.0.2",), 9988, clients=clients)
            self.assertFalse(any(port.open for port in reactor.listening.values()))
        with self.assertRaisesRegex(StartError, "TCP port 9988 is in use.* --apt-port"):
            listen_for_apt(FakeReactor({"::": errno.EADDRINUSE}), Factory(), (), 9988, clients=True)


class AcceptingPort:
    """A listening port with a real socket, which counts the connections that it accepted."""

    def __init__(self, server: socket.socket) -> None:
        self.server = server
        self.accepted = 0

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self.server.fileno()

    def doRead(self) -> None:  # noqa: N802
        """Accepts one connection."""
        self.server.accept()[0].close()
        self.accepted += 1

    def stopListening(self) -> Deferred[None]:  # noqa: N802
        """Closes the socket."""
        self.server.close()
        return succeed(None)


class CloseTests(SynchronousTestCase):
    def test_waiting_connections(self) -> None:
        """Connections that wait are accepted before the socket is closed; where others have the socket they go on waiting in it."""
        for accepting, expected in ((True, 3), (False, 0)):
            port: Any = AcceptingPort(socket.create_server(("127.0.0.1", 0)))
            clients = [socket.create_connection(port.server.getsockname()) for _ in range(3)]
            self.successResultOf(Deferred.fromCoroutine(close([port], accepting=accepting)))
            for client in clients:
                client.close()
            self.assertEqual((port.accepted, port.server.fileno()), (expected, -1))


class OpenedPort:
    """A listening port that only has an address."""

    def __init__(self, address: Any) -> None:
        self.address = address

    def getHost(self) -> Any:  # noqa: N802
        """Returns the address."""
        return self.address


class UnusedOptionsTests(SynchronousTestCase):
    def test_same(self) -> None:
        """Options that say what the service manager does are fine, also where it has opened further ports."""
        ports: list[Any] = [
            OpenedPort(IPv4Address("TCP", "127.0.0.1", 80)),
            OpenedPort(IPv6Address("TCP", "::", 15678)),
            OpenedPort(UNIXAddress("a")),
        ]
        self.assertEqual(unused_options((), 15678, ports), "")

    def test_overruled(self) -> None:
        """A port or an address of the options that is not used is said, with the place to change it."""
        ports: list[Any] = [OpenedPort(IPv6Address("TCP", "::", 15678))]
        self.assertRegex(unused_options((), 15680, ports), r"\A--port 15680 has no effect.* port 15678;.*ListenStream=")
        self.assertRegex(unused_options(("127.0.0.1",), 15678, ports), r"\A--bind has no effect.*ListenStream=")


class Adopting(FakeReactor):
    """A reactor that keeps the sockets that it takes over."""

    def adoptStreamPort(self, descriptor: int, family: Any, factory: object) -> Any:  # noqa: N802
        return WidePort(socket.socket(fileno=os.dup(descriptor)))


class WidePort:
    """A listening port with a real socket."""

    def __init__(self, wide: socket.socket) -> None:
        self.socket = wide


class LoopbackTests(SynchronousTestCase):
    def listening(self, host: str) -> socket.socket:
        """A socket that listens."""
        wide = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET, dualstack_ipv6=host == "::")
        self.addCleanup(wide.close)
        return wide

    def on_loopback(self, wide: socket.socket) -> list[socket.socket]:
        """The further sockets."""
        port: Any = WidePort(wide)
        found: Any = listen_on_loopback(Adopting(), Factory(), [port])
        for each in found:
            self.addCleanup(each.socket.close)
        return [each.socket for each in found]

    def test_own_queue(self) -> None:
        """Connections over loopback wait for being accepted in queues of their own, which nobody else can fill."""
        for host, loopback in (("0.0.0.0", ["127.0.0.1"]), ("::", ["::1", "127.0.0.1"])):
            wide = self.listening(host)
            own = self.on_loopback(wide)
            self.assertEqual([each.getsockname()[0] for each in own], loopback)
            for each in own:
                with socket.create_connection(each.getsockname()[:2], timeout=5) as client:
                    each.setblocking(True)
                    each.settimeout(5)
                    accepted, _ = each.accept()
                    accepted.close()
                    self.assertEqual(client.recv(1), b"")

    def test_port_is_taken(self) -> None:
        """The port is as much in use as it was before: a second daemon does not start."""
        wide = self.listening("0.0.0.0")
        own = self.on_loopback(wide)
        self.assertEqual([each.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) for each in (wide, *own)], [0, 0])
        for address in ("0.0.0.0", "127.0.0.1", "127.0.0.2"):
            with socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.assertRaises(OSError, other.bind, (address, wide.getsockname()[1]))

    def test_one_address(self) -> None:
        """Where one address is listened on, that is all."""
        self.assertEqual(self.on_loopback(self.listening("127.0.0.1")), [])

    def test_not_allowed(self) -> None:
        """Where no further socket can be had, nothing else is done."""

        class Full(FakeReactor):
            def adoptStreamPort(self, *_: object) -> Any:  # noqa: N802
                raise OSError(errno.EMFILE, "Too many open files")

        port: Any = WidePort(self.listening("0.0.0.0"))
        self.assertEqual(listen_on_loopback(Full(), Factory(), [port]), [])
