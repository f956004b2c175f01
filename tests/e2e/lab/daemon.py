"""pacserve on a host of the lab, and programs that play the part of one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.e2e.lab.checkout import mounted_python
from tests.e2e.lab.host import Host
from tests.e2e.lab.namespace import Namespace, wait_until
from tests.e2e.lab.slowness import limit

PORT = 15678
# Seconds: the machine may be busy with other tests.
_START = 60.0
# Seconds: running transfers get a few to end.
_STOP = 15.0
# Seconds until an answered request is in the log for certain: lines are written together.
_LOGGING = 0.3
FAKE_PEER = Path(__file__).with_name("fake_peer.py")


class Program:
    """
    A program in a namespace, with a log.

    Args:
        port: The TCP port that it listens on once it is up.
    """

    def __init__(self, space: Namespace, command: Sequence[str], log: Path, port: int, env: Mapping[str, str] | None = None) -> None:
        self.space, self.log, self._port = space, log, port
        log.parent.mkdir(exist_ok=True)
        self.process = space.spawn(command, log=log, env=env)
        wait_until(self._up, f"{' '.join(command)} to listen", _START)

    def _up(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"ended with status {self.process.returncode}:\n{self.text()}")
        return self.space.listens(self._port)

    def text(self) -> str:
        """All that it logged."""
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str, seconds: float = 15) -> None:
        """
        Waits until a line of the log matches.

        Raises:
            TimeoutError: None did in time.
        """
        wait_until(lambda: re.search(pattern, self.text()), f"{pattern!r} in\n{self.text()}", seconds)

    def kill(self) -> None:
        """Ends it as a crash does: the kernel closes its connections."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Stops it where it is: the kernel goes on to accept connections that nobody answers."""
        self.process.send_signal(signal.SIGSTOP)


class Daemon(Program):
    """
    pacserve.  It is stopped by `stop`, which every test owes a daemon that it did not kill, or by the end of the lab.

    Args:
        version: The folder of another version of the package, in the place of this one.
    """

    def __init__(self, host: Host, *arguments: str, user: str = "", env: Mapping[str, str] | None = None, version: Path | None = None) -> None:
        started = time.monotonic()
        words = command("--state", str(host.dir / "state"), *arguments, user=user)
        if version is not None:
            env = {**(env or {}), "PYTHONPATH": str(version)}
            words.insert(words.index("-m"), "-P")  # or the folder that the tests run in would come first
        super().__init__(host, words, host.dir / "log" / "pacserve.log", PORT, env)
        self.startup = time.monotonic() - started

    def requests(self, name: str, method: str = "GET") -> list[str]:
        """The log lines of the answered requests for a file, or for any path that ends so."""
        time.sleep(_LOGGING)
        return [line for line in self.text().splitlines() if re.search(rf"\b{method} /\S*{re.escape(name)}(/data(\?\S*)?)?: ", line)]

    def findings(self) -> list[str]:
        """The names of the checks that found a trouble on this host, once it was checked; the room on its disks is that of the machine."""
        found: list[dict[str, str]] = []

        def checked() -> bool:
            told = json.loads(self.space.request("/status").body)["findings"]
            found[:] = told or ()
            return told is not None

        wait_until(checked, "the host to be checked")
        return [one["check"] for one in found if one["check"] != "disk"]

    def stop(self) -> None:
        """Ends it with SIGTERM.  It must leave with status 0, and must not have met a defect of its own."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(limit(_STOP))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs {_STOP} s after SIGTERM") from None
        assert status == 0, f"status {status} after SIGTERM"
        assert "Traceback" not in self.text()

    def cpu(self) -> float:
        """The seconds of CPU that it has used, see proc(5)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Its resident set in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def command(*arguments: str, user: str = "", mounted: bool = False) -> list[str]:
    """
    The command line that starts pacserve, as another user if one is named.

    A test that says nothing of delivery is about redirects; those of the default say `auto`, and give the host a spool of its own.

    Args:
        mounted: True for a process that may not be able to read the folder of the checkout, as other users can't.
    """
    for option in ("--misses", "--hits"):
        if option not in arguments:
            arguments = (option, "redirect", *arguments)
    switch = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"] if user else []
    python = mounted_python() if user or mounted else [sys.executable]
    return [*switch, *python, "-m", "pacserve", *arguments]


def fake_peer(host: Host, kind: str, *arguments: str) -> Program:
    """Starts a peer that lies; `kind` is a class of fake_peer.py."""
    return Program(host, [sys.executable, str(FAKE_PEER), kind, *arguments], host.dir / "log" / "fake_peer.log", PORT)
