"""Tests for `pacserve.app.notify`."""

import errno
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.notify import ServiceNotifier


class NotifierTests(SynchronousTestCase):
    def listen(self, address: str) -> socket.socket:
        """A socket like the service manager's."""
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address)
        manager.setblocking(False)
        return manager

    def test_states(self) -> None:
        """Every state arrives in the words of sd_notify(3)."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        address = str(Path(folder.name) / "notify")
        manager = self.listen(address)
        notifier = ServiceNotifier(address)
        notifier.ready("Listening")
        notifier.status("2 peers")
        notifier.reloading(12.5)
        notifier.stopping()
        self.assertEqual(manager.recv(4096), b"READY=1\nSTATUS=Listening")
        self.assertEqual(manager.recv(4096), b"STATUS=2 peers")
        self.assertEqual(manager.recv(4096), b"RELOADING=1\nMONOTONIC_USEC=12500000")
        self.assertIn(b"STOPPING=1", manager.recv(4096))

    def test_abstract(self) -> None:
        """An address that begins with @ is in the abstract namespace."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        manager = self.listen("\0" + folder.name)
        ServiceNotifier("@" + folder.name).status("here")
        self.assertEqual(manager.recv(4096), b"STATUS=here")

    def test_nobody_listens(self) -> None:
        """Without a service manager nothing is sent and nothing is raised; one that does not listen is told once."""
        for address, warnings in ((None, 0), ("", 0), ("relative", 0), ("/nonexistent/notify", 1), ("@nobody-listens-here", 1)):
            notifier = ServiceNotifier(address)
            with capturedLogs() as events:
                for _ in range(3):
                    notifier.ready("Listening")
            self.assertEqual([event["log_level"].name for event in events], ["warn"] * warnings, address)

    def test_no_file_left(self) -> None:
        """A socket that can't even be made is told as well, and raises nothing."""

        def refuse(*_: object) -> socket.socket:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(socket, "socket", refuse)
        with capturedLogs() as events:
            ServiceNotifier("/run/notify").status("2 peers")
        self.assertIn("too many open files", events[0]["trouble"])
