"""pacserve under a service manager."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

from tests.e2e.lab.daemon import PORT, Program, command
from tests.e2e.lab.host import Host
from tests.e2e.lab.namespace import wait_until
from tests.e2e.lab.slowness import limit

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_STARTED = "supervisor: started"
# Seconds: running transfers get a few to end, and the machine may be busy with other tests.
_STOP, _RESTART = 20.0, 60.0
# Seconds between two looks at the port: a small part of the time that a start takes.
_LOOK_INTERVAL = 0.002
_LISTENING = "0A"  # include/net/tcp_states.h


class Service(Program):
    """
    pacserve that is started again whenever it has ended.

    Args:
        activated: True if the service manager holds the socket.
    """

    def __init__(self, host: Host, *arguments: str, activated: bool) -> None:
        words = [sys.executable, str(_SUPERVISOR), *(("--socket", str(PORT)) if activated else ())]
        words += command("--state", str(host.dir / "state"), *arguments)
        super().__init__(host, words, host.dir / "log" / "pacserve.log", PORT)

    @property
    def starts(self) -> int:
        """How often the daemon was started."""
        return self.text().count(_STARTED)

    def restart(self) -> float:
        """
        Restarts the daemon, and returns the seconds in which nothing listened.

        Raises:
            TimeoutError: The new one does not listen in time.
        """
        before = self.text().count("listens on")
        closed = _Closed(self.space.pid)
        self.process.send_signal(signal.SIGHUP)
        try:
            wait_until(lambda: self.text().count("listens on") > before, "the new daemon", _RESTART)
        finally:
            seconds = closed.end()
        return seconds

    def stop(self) -> None:
        """Ends it with SIGTERM.  The daemon must leave with status 0, and none of those that ran must have met a defect of its own."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(limit(_STOP))
        assert status == 0, f"status {status} after SIGTERM"
        assert "Traceback" not in self.text()


class _Closed:
    """Measures how long nothing listens on the port, without connecting to it."""

    def __init__(self, pid: int) -> None:
        self._tables = [Path(f"/proc/{pid}/net/{name}") for name in ("tcp6", "tcp")]
        self._ending = threading.Event()
        self._seconds = 0.0
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def end(self) -> float:
        """Ends the measurement, and returns the seconds."""
        self._ending.set()
        self._thread.join()
        return self._seconds

    def _look(self) -> None:
        closed: float | None = None
        while not self._ending.wait(_LOOK_INTERVAL):
            listening, now = any(map(_listens, self._tables)), time.monotonic()
            if not listening and closed is None:
                closed = now
            elif listening and closed is not None:
                self._seconds += now - closed
                closed = None
        if closed is not None:  # it listens since a moment ago, or there would be no end
            self._seconds += time.monotonic() - closed


def _listens(table: Path) -> bool:
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return any(row[3] == _LISTENING and row[1].endswith(f":{PORT:04X}") for row in rows)
