"""A host of the soak: its daemon begins and ends, its address changes, and its caches lose files."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.e2e.lab import MIRROR, PACKAGE_DIR, PACSERVE, Daemon, Host, Lab, sh
from tools.soak.readings import Reading
from tools.soak.runs import Event, Happening, Record

# Seconds that a daemon has to end after SIGTERM, and a killed one to be gone.
_END_TIMEOUT = 20.0


class Station:
    """
    A host and its daemon.

    Daemons are started and ended by one thread, and pacman runs in others: the kernel ends what a thread has started together with the thread.

    Attributes:
        resident: True if the daemon is never ended, so that its memory can be followed.
        cache: pacman's package cache; it may be missing for a while.
        spool: The daemon's package cache.
        alone: Held while pacman runs, and while files are taken away that pacman would miss.
        starts: How often the daemon was started.
        readings: The memory and files of the daemon until now.
    """

    def __init__(self, lab: Lab, host: Host, record: Record, repositories: Sequence[str], *, resident: bool) -> None:
        self.host, self.resident = host, resident
        self.cache, self.spool = host.dir / "store" / "pkg", host.dir / "spool" / "pkg"
        self.alone = threading.Lock()
        self.starts = 0
        self.readings: list[Reading] = []
        self._lab, self._record = lab, record
        self._daemon: Daemon | None = None
        self._reached = True
        text = host.configuration((PACSERVE, MIRROR), repositories).replace(f"CacheDir = {PACKAGE_DIR}\n", f"CacheDir = {self.cache}/\n")
        host.write_configuration(text)
        self.cache.mkdir(parents=True)

    @property
    def name(self) -> str:
        """The name of the host."""
        return self.host.name

    @property
    def runs(self) -> bool:
        """True if the daemon runs."""
        return self._daemon is not None

    @property
    def reached(self) -> bool:
        """True if the host is on the network."""
        return self._reached

    @property
    def log(self) -> Path:
        """The log of all its daemons."""
        return self.host.dir / "log" / "pacserve.log"

    # The daemon.

    def start(self) -> None:
        """Starts the daemon, and returns when it listens."""
        try:
            self._daemon = Daemon(self.host, "--multicast", "--misses", "auto", "--hits", "auto", "--spool", str(self.host.dir / "spool"))
        except (RuntimeError, TimeoutError) as error:
            self._record.faults.append(f"{self.name}: the daemon did not start: {error}")
            return
        self.starts += 1

    def end(self, event: Event) -> None:
        """Ends the daemon by a signal, and notes when."""
        daemon, self._daemon = self._daemon, None
        if daemon is None:
            return
        with self._noted(event):
            if event is Event.KILL:
                daemon.kill()
                return
            daemon.process.terminate()
            try:
                status = daemon.process.wait(_END_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._record.faults.append(f"{self.name}: the daemon still ran {_END_TIMEOUT:.0f} s after SIGTERM")
                daemon.kill()
            else:
                if status:
                    self._record.faults.append(f"{self.name}: the daemon ended with status {status} after SIGTERM")

    def look(self) -> None:
        """Reads the memory and the files of the daemon, and notices when it has ended by itself."""
        daemon = self._daemon
        if daemon is None:
            return
        status = daemon.process.poll()
        if status is not None:
            self._daemon = None
            self._record.faults.append(f"{self.name}: the daemon ended by itself with status {status}")
            return
        files = sum(1 for _ in Path(f"/proc/{daemon.process.pid}/fd").iterdir())
        self.readings.append(Reading(time.monotonic(), daemon.process.pid, daemon.memory(), files))

    # The network.

    def move(self, address: str) -> None:
        """Gives the host another IPv4 address."""
        with self._noted(Event.NETWORK):
            sh(f"ip -n {self.host.netns} addr flush dev eth0")
            self.host.ip = address
            self._connect()

    def leave(self, *, cable: bool) -> Callable[[], None]:
        """Takes the host from the network, by its cable or by its interface; returns what brings it back."""
        noted = ExitStack()
        noted.enter_context(self._noted(Event.NETWORK))
        self._reached = False
        if cable:
            self._lab.unplug(self.host)
        else:
            sh(f"ip -n {self.host.netns} link set eth0 down")

        def come_back() -> None:
            if cable:
                self._lab.unplug(self.host, plugged=True)
            else:
                sh(f"ip -n {self.host.netns} link set eth0 up")
                self._connect()
            self._reached = True
            noted.close()

        return come_back

    @contextmanager
    def _noted(self, event: Event) -> Iterator[None]:
        """Notes an event: at once, since a run may fail before it is over, and for good when it is."""
        began, place = time.monotonic(), len(self._record.happenings)
        self._record.happenings.append(Happening(event, self.name, began, float("inf")))
        yield
        self._record.happenings[place] = Happening(event, self.name, began, time.monotonic())

    def _connect(self) -> None:
        """Gives the interface what it loses when it is down."""
        inside = f"ip -n {self.host.netns}"
        sh(f"{inside} addr replace {self.host.ip}/24 brd + dev eth0")
        sh(f"{inside} addr replace {self.host.ip6}/64 dev eth0 nodad")
        sh(f"{inside} route replace default via 10.77.0.1")
        sh(f"{inside} route replace 224.0.0.0/4 dev eth0")

    # The caches.

    def lose_files(self, chosen: Callable[[Sequence[Path]], Sequence[Path]]) -> None:
        """Removes some of the packages in the caches, with their signatures."""
        for folder in (self.cache, self.spool):
            for path in chosen(_packages(folder)):
                path.unlink(missing_ok=True)
                path.with_name(f"{path.name}.sig").unlink(missing_ok=True)

    def keep_newest(self) -> None:
        """Removes all but the newest version of each package from pacman's cache, as `paccache -rk1` does."""
        newest: dict[str, Path] = {}
        for path in sorted(_packages(self.cache), key=lambda path: path.stat().st_mtime):
            newest[path.name.rsplit("-", 3)[0]] = path
        for path in set(_packages(self.cache)) - set(newest.values()):
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.sig").unlink(missing_ok=True)

    def lose_cache(self) -> None:
        """Removes the folder of pacman's cache; pacman makes it anew."""
        shutil.rmtree(self.cache, ignore_errors=True)

    def lose_spool(self) -> None:
        """Removes everything from the daemon's folder, and the folder."""
        shutil.rmtree(self.host.dir / "spool", ignore_errors=True)

    def reinstall(self) -> None:
        """Makes the host one on which nothing is installed."""
        for folder in (self.host.root, self.host.dir / "db" / "local"):
            shutil.rmtree(folder, ignore_errors=True)
        self.host.root.mkdir()


def _packages(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.glob("*.pkg.tar.zst"))
    return []
