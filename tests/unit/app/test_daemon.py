"""Tests for `pacserve.app.daemon`."""

import errno
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.daemon import FEWEST_OPEN_FILES, Daemon, Process
from pacserve.app.peering import Peering
from pacserve.app.telling import Telling
from pacserve.app.threads import Threads
from pacserve.config.settings import DEFAULT_APT_PORT, DEFAULT_PORT, Settings
from pacserve.delivery.table import Misses
from pacserve.errors import ConfigurationError, StartError

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"


class Reactor(MemoryReactorClock):
    """A reactor without a network, whose TCP port another program may have."""

    taken: int | None = None

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:  # noqa: N802
        if self.taken == port:
            raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "in use"))
        listening = super().listenTCP(port, factory, backlog, "")
        listening.socket = self
        return listening

    def getsockname(self) -> tuple[str, int]:
        """Answers for the socket, which is one on loopback."""
        return "127.0.0.1", 0

    def getsockopt(self, _: int, __: int) -> int:
        """Answers for the socket, which takes IPv6 and IPv4."""
        return 0


class FailedStartTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.spool = self.folder / "spool"
        (self.spool / "pkg").mkdir(parents=True)
        (self.spool / "pkg" / ZLIB).write_bytes(b"data")
        (self.spool / ".pacserve-spool").touch()
        (self.spool / ".clean").touch()
        self.reactor = Reactor()

        async def nothing(_: Telling) -> None:
            return

        async def at_once(_: Threads, work: Callable[[], Any]) -> Any:
            return work()

        self.patch(Telling, "start", nothing)
        self.patch(Threads, "read_configuration", at_once)

    def start(self, open_files: int = 1024) -> Exception:
        """Starts a daemon, which fails, and returns why."""
        settings = Settings(spool=str(self.spool), state=str(self.folder), pacman_conf=f"{self.folder}/pacman.conf", misses=Misses.FETCH, apt=True)
        daemon = Daemon(self.reactor, settings, Process(lambda _: None, lambda: 1_800_000_000.0, {}, open_files, (), lambda _: ()))
        for pool in (daemon._threads._shared, daemon._threads._configuration):
            self.addCleanup(pool.stop)
        error = self.failureResultOf(Deferred.fromCoroutine(daemon.start())).value
        assert isinstance(error, Exception)
        return error

    def assert_clean(self) -> None:
        """Asserts that the next start takes over what is in the spool."""
        self.assertEqual(((self.spool / "pkg" / ZLIB).exists(), (self.spool / ".clean").exists()), (True, True))

    def test_port_in_use(self) -> None:
        """A daemon that can't have its port leaves the spool as it was."""
        for port in (DEFAULT_PORT, DEFAULT_APT_PORT):
            self.reactor.taken = port
            error = self.start()
            self.assertIsInstance(error, StartError)
            self.assertIn(str(port), str(error))
            self.assert_clean()

    def test_no_discovery(self) -> None:
        """A daemon that can't have its UDP port gives the spool back as one that has ended well."""

        def failing(*_: object) -> None:
            raise StartError("the UDP port is in use")

        self.patch(Peering, "start", failing)
        self.assertIsInstance(self.start(), StartError)
        self.assert_clean()

    def test_few_open_files(self) -> None:
        """A limit of open files that is too low for a LAN is warned of, with what to do."""

        def failing(*_: object) -> None:
            raise StartError("the UDP port is in use")

        self.patch(Peering, "start", failing)
        for open_files, warnings in ((FEWEST_OPEN_FILES, 0), (FEWEST_OPEN_FILES - 1, 1)):
            with capturedLogs() as events:
                self.start(open_files)
            texts = [str(formatEvent(event)) for event in events if event["log_level"] is LogLevel.warn]
            self.assertEqual(len([text for text in texts if f"only {open_files} files" in text and "LimitNOFILE" in text]), warnings)

    def test_spool_of_another(self) -> None:
        """A daemon that does not get the spool which its options demand leaves it as it was."""
        (self.spool / ".pacserve-spool").unlink()
        self.assertIsInstance(self.start(), ConfigurationError)
        self.assert_clean()
