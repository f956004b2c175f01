"""A set of Linux namespaces that a test can run commands in, open sockets in, and remove without a trace."""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.e2e.lab.shortage import CPUQuota
from tests.e2e.lab.slowness import limit

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_LIBC = ctypes.CDLL(None, use_errno=True)
# A lab is of no use to anybody once the test run that made it has gone, however it went.
_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
# Keeps the namespaces; ignores SIGCHLD, so that the kernel reaps the orphans of what ran in them.
_HOLDER = "trap '' CHLD; echo up; exec sleep infinity"


@dataclass(frozen=True, slots=True)
class Response:
    """
    What an HTTP server answered.

    Attributes:
        headers: By lower-case name.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def sh(command: str | Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """
    Runs a command line outside of all labs, split at blanks.

    Raises:
        RuntimeError: It failed; the message carries its standard error.
    """
    words = command.split() if isinstance(command, str) else list(command)
    done = subprocess.run(words, text=True, capture_output=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: status {done.returncode}: {done.stderr.strip()}")
    return done


def wait_until(condition: Callable[[], object], what: str, seconds: float = 10) -> None:
    """
    Waits for something that takes a moment: so many seconds, or longer if the machine is busy with other work.

    Raises:
        TimeoutError: It did not happen in time.
    """
    began = time.monotonic()
    pause = 0.02
    while not condition():
        if time.monotonic() - began > limit(seconds):
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(pause)
        pause = min(0.2, pause * 1.2)  # thirty that look all the time would keep each other from starting


class Namespace:
    """
    A network, a mount and a UTS namespace, kept by a sleeping process and known to ip(8) as PREFIX-NAME.

    Attributes:
        netns: The name for `ip -n`.
        dir: A folder of its own, outside.
    """

    def __init__(self, prefix: str, name: str, directory: Path) -> None:
        self.name, self.netns, self.dir = name, f"{prefix}-{name}", directory
        self._processes: list[subprocess.Popen[bytes]] = []
        self._quota: CPUQuota | None = None
        self.pid = 0

    def confine(self, share: float) -> None:
        """Gives what is started in here from now on a part of one core, between all of it."""
        self._quota = CPUQuota(self.netns, share)

    def create(self) -> None:
        """Makes the namespaces; only `lo` is in the network."""
        self.dir.mkdir(parents=True, exist_ok=True)
        unshare = ["unshare", "--net", "--mount", "--uts", "--propagation", "private", "--", "sh", "-c", _HOLDER]
        holder = subprocess.Popen([*_WITH_PARENT, *unshare], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        self._processes.append(holder)
        assert holder.stdout is not None
        with holder.stdout as output:
            if output.readline() != b"up\n":
                raise RuntimeError(f"{self.netns}: unshare failed")
        self.pid = holder.pid
        sh(f"ip netns attach {self.netns} {holder.pid}")
        sh(f"ip -n {self.netns} link set lo up")

    def entering(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` in here."""
        return ["nsenter", "-t", str(self.pid), "--net", "--mount", "--uts", "--", *command]

    def run(self, command: str | Sequence[str], *, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """
        Runs a command in here to its end.

        Raises:
            RuntimeError: It failed and `check` is set.
        """
        words = command.split() if isinstance(command, str) else command
        done = subprocess.run(
            self.entering(words), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=limit(timeout), check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{self.netns}: {' '.join(words)}: status {done.returncode}: {done.stderr.strip()} {done.stdout[-400:]}")
        return done

    def spawn(
        self,
        command: Sequence[str],
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """
        Starts a process in here; the pid is the process's own, so signals reach it.

        Args:
            log: Its output is appended to this file.
            env: Added to the environment.
        """
        output = log.open("ab") if log else None
        try:
            target = output if output is not None else subprocess.DEVNULL
            process = subprocess.Popen(
                [*_WITH_PARENT, *self.entering(command)],
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=target,
                env={**os.environ, **(env or {})},
                pass_fds=pass_fds,
            )
        finally:
            if output is not None:
                output.close()
        self._processes.append(process)
        if self._quota is not None:
            self._quota.take(process.pid)
        return process

    def path(self, inside: str) -> Path:
        """An absolute path as it is in here, seen from outside."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def counters(self, device: str) -> tuple[int, int]:
        """The bytes that an interface received and sent, as the kernel counts them."""
        for line in Path(f"/proc/{self.pid}/net/dev").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name.strip() == device:
                fields = rest.split()
                return int(fields[0]), int(fields[8])
        raise KeyError(device)

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function in a thread of this process that is in the network of this namespace: sockets it makes stay there."""
        results: list[T] = []
        errors: list[BaseException] = []

        def enter() -> None:
            try:
                with Path(f"/proc/{self.pid}/ns/net").open("rb") as network:
                    if _LIBC.setns(network.fileno(), _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                results.append(function())
            except BaseException as error:  # raised again where the caller is
                errors.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def connect(self, address: str = "127.0.0.1", port: int = 15678, timeout: float = 15, source: str = "") -> socket.socket:
        """A TCP connection from in here; `source` is the address to come from."""
        return self.call(lambda: socket.create_connection((address, port), limit(timeout), (source, 0) if source else None))

    def request(
        self,
        target: str,
        address: str = "127.0.0.1",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        port: int = 15678,
        source: str = "",
    ) -> Response:
        """One HTTP request from in here, sent as it is written; redirects are not followed."""
        connection = http.client.HTTPConnection(address, port, timeout=15)
        connection.sock = self.connect(address, port, source=source)
        try:
            connection.putrequest(method, target, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            with connection.getresponse() as response:
                return Response(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        finally:
            connection.close()

    def listens(self, port: int) -> bool:
        """Whether something listens on the TCP port in here."""
        return bool(self.run(["ss", "-Hltn", f"sport = :{port}"]).stdout.strip())

    def remove(self) -> None:
        """Ends everything that runs in here and gives the namespaces back."""
        if self.pid:
            remove_networks([self.netns])
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes.clear()
        self.pid = 0
        if self._quota is not None:
            self._quota.remove()
            self._quota = None


def remove_networks(names: Sequence[str]) -> None:
    """Ends the processes in the named network namespaces, politely and then for good, and removes their names."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = {int(pid) for name in names for pid in sh(f"ip netns pids {name}", check=False).stdout.split()}
        for pid in pids:
            try:
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + 1
        while any(map(_alive, pids)) and time.monotonic() < deadline:
            time.sleep(0.01)
    for name in names:
        sh(f"ip netns del {name}", check=False)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False
