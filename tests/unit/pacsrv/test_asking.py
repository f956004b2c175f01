"""Tests for `pacserve.pacsrv.asking` and `pacserve.pacsrv.answering`, with a server in a thread."""

from __future__ import annotations

import dataclasses
import io
import json
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.answering import Console, show
from pacserve.pacsrv.asking import Daemon, SilentError
from pacserve.pacsrv.options import Question
from pacserve.report.status import AptStatus
from pacserve.report.status_json import encode
from pacserve.report.why import Why
from tests.fakes.statuses import NOW, peer, status


class AskingTests(SynchronousTestCase):
    def serve(self, answers: Mapping[str, tuple[int, bytes]]) -> int:
        """Answers paths on a port of loopback until the test ends; all others with 404."""

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                code, body = answers.get(self.path, (404, b""))
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return int(server.server_address[1])

    def ask(self, port: int, question: Question) -> tuple[int, str, str]:
        """The exit status of a command, and what it shows on stdout and stderr."""
        console = Console(io.StringIO(), io.StringIO(), {}, lambda: NOW, self.slept)
        code = show(question, Daemon(port, lambda: 0.0, "127.0.0.1"), console)
        assert isinstance(console.out, io.StringIO)
        assert isinstance(console.err, io.StringIO)
        return code, console.out.getvalue(), console.err.getvalue()

    def slept(self, seconds: float) -> None:
        """Lets a watch look three times."""
        self.looks = getattr(self, "looks", 0) + 1
        if self.looks == 3:
            raise KeyboardInterrupt

    def test_status(self) -> None:
        """The state is shown as text, or as the JSON that the daemon gave."""
        body = encode(status(peer()))
        port = self.serve({"/status": (200, body)})
        code, out, _ = self.ask(port, Question("status", port))
        self.assertEqual(code, 0)
        self.assertIn("10.0.0.3:15678", out)
        _, out, _ = self.ask(port, Question("status", port, json=True))
        self.assertEqual(out, body.decode() + "\n")

    def test_watch(self) -> None:
        """It is shown again and again, and Ctrl-C ends that well."""
        port = self.serve({"/status": (200, encode(status()))})
        code, out, _ = self.ask(port, Question("status", port, json=True, watch=1.0))
        self.assertEqual((code, len(out.splitlines())), (0, 3))
        self.assertEqual(json.loads(out.splitlines()[2])["host"]["name"], "h1")

    def test_why(self) -> None:
        """The name is sent so that no sign of it has a meaning in a URL, and one that is not known is status 1."""
        port = self.serve({"/why/a%2Fb%3F%20c": (200, encode(Why("core", "a", None, (), ())))})
        self.assertEqual(self.ask(port, Question("why", port, "a/b? c"))[0], 0)
        code, _, err = self.ask(port, Question("why", port, "absent"))
        self.assertEqual(code, 1)
        self.assertIn("no cache has absent", err)
        self.assertIn("pacsrv -Sy", err)

    def test_why_without_pacman(self) -> None:
        """Where there is no pacman, that is why no package is known."""
        port = self.serve({"/status": (200, encode(status(no_pacman="there is no /etc/pacman.conf")))})
        code, out, err = self.ask(port, Question("why", port, "zlib"))
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err, "pacsrv: no pacman here: there is no /etc/pacman.conf; so no database has zlib\n")

    def test_why_with_apt(self) -> None:
        """Where apt is answered it is said that its lists do not have the package either, and nothing of a pacman that is not there."""
        apt = AptStatus(9988, (), 3, 70_000, 0, 2)
        for missing, part in (("there is no /etc/pacman.conf", "no list of apt has zlib"), ("", "no database, no cache and no list of apt has zlib")):
            port = self.serve({"/status": (200, encode(dataclasses.replace(status(no_pacman=missing), apt=apt)))})
            code, _, err = self.ask(port, Question("why", port, "zlib"))
            self.assertEqual((code, part in err, "pacman" in err), (1, True, False), err)

    def test_other_answers(self) -> None:
        """What is no state is told in one line, not as a traceback."""
        for code, body in ((200, b"<html>"), (200, b"{}"), (200, b"[" * 100_000), (403, b""), (500, b"")):
            port = self.serve({"/status": (code, body)})
            got, out, err = self.ask(port, Question("status", port))
            self.assertEqual((got, out, err.count("\n")), (1, "", 1), body[:10])

    def test_check(self) -> None:
        """What answers otherwise than a pacserve, or not at all, is none."""
        Daemon(self.serve({"/info": (200, b"{}")}), lambda: 0.0, "127.0.0.1").check()
        other = self.serve({})
        self.assertIn("not pacserve", str(self.assertRaises(SilentError, Daemon(other, lambda: 0.0, "127.0.0.1").check)))
        with socket.create_server(("127.0.0.1", 0)) as closed:
            free = closed.getsockname()[1]
        self.assertIn("no program listens", str(self.assertRaises(SilentError, Daemon(free, lambda: 0.0, "127.0.0.1").check)))

    def test_hanging(self) -> None:
        """A daemon that accepts and says nothing holds nobody up for long."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            error = self.assertRaises(SilentError, Daemon(silent.getsockname()[1], lambda: 0.0, "127.0.0.1").check)
        self.assertIn("0.5 s", str(error))

    def test_longer(self) -> None:
        """Where no pacman waits the daemon may be asked to answer within another time."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            daemon = Daemon(silent.getsockname()[1], lambda: 0.0, "127.0.0.1")
            error = self.assertRaises(SilentError, daemon.check, 0.01)
        self.assertIn("within 0.01 s", str(error))
