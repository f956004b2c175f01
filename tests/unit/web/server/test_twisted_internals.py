"""Tests for `pacserve.web.server.twisted_internals`: the installed Twisted is what the package relies on."""

from __future__ import annotations

import ast
import inspect
import re
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Connection, Port
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel, Request

import pacserve
from pacserve.web.server.twisted_internals import accept_some

WEB = Path(pacserve.__file__).parent / "web"
PLACE = WEB / "server/twisted_internals.py"

METHODS: dict[type, dict[str, tuple[str, ...]]] = {
    HTTPChannel: {
        "_respondToBadRequestAndDisconnect": (),
        "_send100Continue": (),
        "allContentReceived": (),
        "allHeadersReceived": (),
        "checkPersistence": ("request", "version"),
        "clearLineBuffer": (),
        "connectionLost": ("reason",),
        "connectionMade": (),
        "dataReceived": ("data",),
        "getHost": (),
        "getPeer": (),
        "headerReceived": ("line",),
        "isSecure": (),
        "lineLengthExceeded": ("line",),
        "loseConnection": (),
        "pauseProducing": (),
        "requestDone": ("request",),
        "resumeProducing": (),
        "setRawMode": (),
        "write": ("data",),
    },
    Request: {
        "finish": (),
        "getClientAddress": (),
        "gotLength": ("length",),
        "handleContentChunk": ("data",),
        "isSecure": (),
        "notifyFinish": (),
        "parseCookies": (),
        "registerProducer": ("producer", "streaming"),
        "requestReceived": ("command", "path", "version"),
        "unregisterProducer": (),
    },
    EPollReactor: {
        "_doReadOrWrite": ("selectable", "fd", "event"),
        "addReader": ("reader",),
        "addWriter": ("writer",),
        "removeReader": ("reader",),
        "removeWriter": ("writer",),
    },
    Port: {"doRead": ()},
    Connection: {
        "connectionLost": ("reason",),
        "doWrite": (),
        "getHandle": (),
        "registerProducer": ("producer", "streaming"),
        "startWriting": (),
        "unregisterProducer": (),
    },
}
ATTRIBUTES: dict[type, dict[str, object]] = {
    HTTPChannel: {"MAX_LENGTH": 16384, "factory": None, "length": 0, "persistent": 1, "timeOut": None, "totalHeadersSize": 16384},
    Request: {"startedWriting": 0, "code": 200},
    Connection: {"connected": False, "dataBuffer": b"", "disconnecting": False, "producerPaused": False},
}
PRIVATE = re.compile(r"_[A-Za-z]*[a-z][A-Z]|startedWriting|persistent|doWrite\b|\bchannel\.(?:write|persistent|length|requests)")


class TwistedTests(SynchronousTestCase):
    def test_methods(self) -> None:
        """Each method that is called or overridden is there and takes what is relied on."""
        for owner, methods in METHODS.items():
            for name, parameters in methods.items():
                found = tuple(inspect.signature(getattr(owner, name)).parameters)[1:]
                self.assertEqual(found[: len(parameters)], parameters, f"{owner.__name__}.{name}")
                optional = [inspect.signature(getattr(owner, name)).parameters[more].default for more in found[len(parameters) :]]
                self.assertNotIn(inspect.Parameter.empty, optional, f"{owner.__name__}.{name}")

    def test_attributes(self) -> None:
        """Each attribute that is read or set is there, with the value that it begins with."""
        for owner, attributes in ATTRIBUTES.items():
            self.assertEqual({name: getattr(owner, name) for name in attributes}, attributes)

    def test_channel(self) -> None:
        """A channel has no request, and one that comes is made by its `requestFactory`."""
        self.assertEqual(HTTPChannel().requests, [])
        self.assertTrue(callable(HTTPChannel.requestFactory))

    def test_malformed(self) -> None:
        """The private method is the one that Twisted calls for what it can't parse: there is no other answer 400 in its channel."""
        source = inspect.getsource(HTTPChannel)
        self.assertGreaterEqual(source.count("self._respondToBadRequestAndDisconnect()"), 5)
        self.assertEqual(source.count("400 Bad Request"), 1)

    def test_finish(self) -> None:
        """`Request.finish` writes a head only where none was begun, and asks the channel's factory only where there is one."""
        source = inspect.getsource(Request.finish)
        self.assertIn("if not self.startedWriting:", source)
        self.assertIn("self.channel.factory is not None", source)

    def test_buffer(self) -> None:
        """What a connection has not sent is in two places, and a producer that counts as paused is resumed when both are empty."""
        source = inspect.getsource(Connection.doWrite)
        self.assertIn('b"".join(self._tempDataBuffer)', source)
        self.assertLess(source.index("len(self.dataBuffer) and not self._tempDataLen"), source.index("self.producerPaused = False"))

    def test_below_tls(self) -> None:
        """A protocol that wraps a TCP connection has it as its transport."""
        self.assertTrue(issubclass(TLSMemoryBIOProtocol, ProtocolWrapper))

    def test_accept_some(self) -> None:
        """A port accepts as many connections as it is told, and no more because there were many."""

        class Nobody:
            def addReader(self, _: object) -> None:  # noqa: N802
                """Watches nothing."""

            removeReader = removeWriter = addReader  # noqa: N815

        built: list[Protocol] = []

        def build(_: object) -> Protocol:
            built.append(Protocol())
            return built[-1]

        factory = Factory()
        factory.buildProtocol = build  # type: ignore[method-assign,assignment]
        port = Port(0, factory, interface="127.0.0.1", reactor=Nobody())
        port.startListening()
        self.addCleanup(port.socket.close)
        with ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(socket.create_connection(port.socket.getsockname()))
            accepted = []
            for _ in range(14):
                more = accept_some(port, 4)
                accepted.append((len(built), more))
            self.assertEqual(accepted, [(4 * number, True) for number in range(1, 13)] + [(50, False)] * 2)
        for protocol in built:
            transport: Any = protocol.transport
            transport.socket.close()


class OnePlaceTests(SynchronousTestCase):
    def test_one_place(self) -> None:
        """No other module of the web server names what stands in this one."""
        for path in sorted(WEB.rglob("*.py")):
            if path == PLACE:
                continue
            found = [name for node in ast.walk(ast.parse(path.read_text())) for name in _names(node) if PRIVATE.search(name)]
            self.assertEqual(found, [], path)


def _names(node: ast.AST) -> list[str]:
    """The attribute that an expression gets, or the method that is defined."""
    if isinstance(node, ast.Attribute):
        owner = node.value.attr if isinstance(node.value, ast.Attribute) else node.value.id if isinstance(node.value, ast.Name) else ""
        return [f"{owner}.{node.attr}"]
    return [node.name] if isinstance(node, ast.FunctionDef) else []
