"""The measured processes: started, watched through /proc, and ended by their pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Seconds that a server has to become ready, and to end after SIGTERM, many times what is usual.
START_TIMEOUT = 20.0
_STOP_TIMEOUT = 8.0

_NGINX_CONF = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/access.log;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    root {root};
    location /redirect/ {{ return 302 http://127.0.0.1:9$uri; }}
  }}
}}
"""

# The locks never time out: else a request that waits for another one's download would start one of its own.
_CACHING_CONF = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/access.log;
  sendfile on;
  tcp_nopush on;
  types {{ }}
  default_type application/octet-stream;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=packages:1m inactive=1d use_temp_path=off;
  server {{
    listen {address}:{port} backlog=1024;
    location / {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffers 16 64k;
      proxy_cache packages;
      proxy_cache_valid 200 1d;
      proxy_cache_lock on;
      proxy_cache_lock_age 1h;
      proxy_cache_lock_timeout 1h;
    }}
  }}
}}
"""


class BenchmarkError(Exception):
    """A benchmark can't be run, or its figures mean nothing."""


class SkippedError(Exception):
    """This machine or this user lacks something that the benchmark needs; that is no failure."""


class Server:
    """
    A server process in a session of its own, so that Ctrl-C reaches it only through `stop`.

    Args:
        command: Runs in the foreground: it keeps the pid that it is started with.
        core: The core that it is bound to; None for any.
        log: The file that its output goes to.

    Attributes:
        port: The port on which it listens, on 127.0.0.1.
        started: The time of its start by `time.perf_counter`.
    """

    def __init__(
        self, command: Sequence[str], port: int, log: Path, *, core: int | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port = port
        self.log = log
        bound = () if core is None else ("taskset", "--cpu-list", str(core))
        with log.open("wb") as output:
            self.started = time.perf_counter()
            self._process = subprocess.Popen(
                [*bound, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    def cpu(self) -> float:
        """Returns the CPU seconds of all its threads until now."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS  # utime and stime, see proc(5)

    def resident(self) -> float:
        """Returns its resident memory in MB (10^6 bytes)."""
        line = next(line for line in self._proc("status").splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024 / 1e6

    def wait_for_log(self, text: str, times: int = 1, *, within: float = START_TIMEOUT) -> None:
        """
        Waits until it has printed `text` a number of times.

        Args:
            within: The timeout in seconds.

        Raises:
            BenchmarkError: It did not print it in time.
        """
        deadline = time.monotonic() + within
        while (found := self.log.read_text("utf-8", "replace").count(text)) < times:
            self.check()
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{self.log.name}: {text!r} {found} times instead of {times} within {within:.0f} s")
            time.sleep(0.02)

    def check(self) -> None:
        """
        Makes sure that it still runs.

        Raises:
            BenchmarkError: It has ended; the message ends with its last output.
        """
        if self._process.poll() is not None:
            raise BenchmarkError(f"a server has ended with {self._process.returncode}: {self.log.read_text('utf-8', 'replace')[-2000:]}")

    def stop(self) -> None:
        """Ends it, by force if it does not end by itself."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _proc(self, name: str) -> str:
        self.check()
        return Path(f"/proc/{self._process.pid}/{name}").read_text("utf-8")


def nginx(folder: Path, root: Path, port: int, core: int | None) -> Server:
    """
    Starts nginx with one worker that serves `root` by sendfile and answers `/redirect/` with 302.  Like pacserve it writes an access log.

    Args:
        folder: The folder for its configuration and temporary files.
    """
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX_CONF.format(folder=folder, root=root, port=port), "utf-8")
    return Server(("nginx", "-c", str(configuration), "-p", str(folder), "-e", str(folder / "error.log")), port, folder / "output.log", core=core)


def caching_nginx(folder: Path, upstream: str, port: int, core: int | None) -> Server:
    """
    Starts nginx with one worker that caches what it fetches from `upstream`.

    Args:
        folder: The folder for its configuration and its cache.
        upstream: The beginning of the upstream's URLs.
    """
    return Server(caching_nginx_command(folder, upstream, "127.0.0.1", port), port, folder / "output.log", core=core)


def caching_nginx_command(folder: Path, upstream: str, address: str, port: int) -> Sequence[str]:
    """
    Writes the configuration of a caching nginx, and returns the command that starts it.

    It sends one request for each file, however many clients ask for it (`proxy_cache_lock`).
    """
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(_CACHING_CONF.format(folder=folder, upstream=upstream, address=address, port=port), "utf-8")
    return "nginx", "-c", str(configuration), "-p", str(folder), "-e", str(folder / "error.log")


@dataclass(frozen=True, slots=True)
class Launch:
    """
    How a daemon is started.

    Attributes:
        options: Options of pacserve beside its port, its folders and its peers.
        module: The module that `python -m` runs.
        core: The core that the daemon is bound to; None for any.
        within: The beginning of a command line that runs the rest in another namespace.
        bytecode: A folder for the `.pyc` files of everything that is imported; None for Python's own places.
    """

    options: Sequence[str] = ()
    module: str = "pacserve"
    core: int | None = None
    within: Sequence[str] = ()
    bytecode: Path | None = None


PLAIN = Launch()


def pacserve(log: Path, pacman_conf: Path, cache_dir: Path, port: int, *, peers: Sequence[int] = (), launch: Launch = PLAIN) -> Server:
    """
    Starts the daemon as a user does.

    Args:
        peers: The ports of its static peers.
    """
    arguments = ["--port", str(port), "--pacman-conf", str(pacman_conf), "--cache-dir", str(cache_dir), "--state", f"{log}.state", *launch.options]
    for peer in peers:
        arguments += ["--pacserver", f"127.0.0.1:{peer}"]
    kept = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET" and not name.lower().endswith("_proxy")}
    if launch.bytecode is not None:
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        kept["PYTHONPYCACHEPREFIX"] = str(launch.bytecode)
    return Server((*launch.within, sys.executable, "-m", launch.module, *arguments), port, log, core=launch.core, environment=kept)
