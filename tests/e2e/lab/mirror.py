"""The mirror out in the Internet: nginx, with several sites on ports of their own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.lab.namespace import Namespace, wait_until

_CONFIGURATION = """
daemon off; user root; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
    sendfile on; tcp_nopush on; keepalive_requests 100000; types {{ }}
    default_type application/octet-stream;
    limit_conn_zone $binary_remote_addr zone=connections:1m; limit_req_zone $binary_remote_addr zone=requests:1m rate=1r/m;
    log_format lab '$server_port $remote_addr $status $body_bytes_sent $msec $request_time "$http_range" $request_method $uri';
    access_log {dir}/access.log lab;
    client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
    uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
{sites}
}}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """
    A mirror on a port of its own.

    Attributes:
        root: The folder that holds `core/os/x86_64`.
        directives: More lines of nginx's `server` block.  For `limit_conn` there is a zone `connections`, for `limit_req` one of one request in a
            minute, `requests`, both by address.
    """

    port: int
    root: Path
    directives: str = ""


@dataclass(frozen=True, slots=True)
class MirrorRequest:
    """
    A request as the mirror logged it when it was done.

    Attributes:
        sent: Bytes of the body.
        ended: The time when all was given to the kernel or the client was gone, in seconds since the epoch.
        took: The seconds from the first byte of the request until then.
        path: Percent-decoded.
    """

    port: int
    client: str
    status: int
    sent: int
    ended: float
    took: float
    range: str
    method: str
    path: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


class Mirror(Namespace):
    """
    A machine out in the Internet that nginx runs on.

    Args:
        number: 0 for the mirror that every lab has; that of a further one otherwise.
    """

    ip = "10.78.0.2"
    # TEST-NET-2 (RFC 5737): no private range, so for the hosts of the LAN it is the outside.
    public_ip = "198.51.100.2"

    def __init__(self, prefix: str, name: str, directory: Path, number: int = 0) -> None:
        super().__init__(prefix, name, directory)
        self._nginx: subprocess.Popen[bytes] | None = None
        if number:
            self.ip, self.public_ip = f"10.78.{number}.2", f"203.0.113.{number}"  # TEST-NET-3

    @property
    def gateway(self) -> str:
        """The other end of its link."""
        return f"{self.ip.rpartition('.')[0]}.1"

    @property
    def server(self) -> str:
        """The value of its `Server` line in pacman.conf, by its public address."""
        return f"http://{self.public_ip}/$repo/os/$arch"

    def start(self, sites: Sequence[Site]) -> None:
        """Starts nginx with these sites."""
        blocks = "".join(f"server {{ listen {site.port}; listen [::]:{site.port}; root {site.root}; {site.directives} }}\n" for site in sites)
        configuration = self.dir / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(dir=self.dir, sites=blocks))
        self._nginx = self.spawn(["nginx", "-e", f"{self.dir}/error.log", "-c", str(configuration)], log=self.dir / "nginx.out")
        wait_until(lambda: all(self.listens(site.port) for site in sites), "the mirror")

    def freeze(self) -> None:
        """Stops nginx where it is: the kernel goes on to accept connections that nobody answers."""
        self._signal(signal.SIGSTOP)

    def kill(self) -> None:
        """Ends nginx as a crash does: the kernel closes its connections, and refuses further ones."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        assert self._nginx is not None
        master = self._nginx.pid
        workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        for pid in (master, *map(int, workers)):
            os.kill(pid, number)

    def requests(self, method: str = "") -> list[MirrorRequest]:
        """What was answered so far, in the order in which it was done; only that of one method if it is given."""
        found = []
        for line in (self.dir / "access.log").read_text().splitlines():
            before, quoted, after = line.split('"', 2)
            port, client, status, sent, ended, took = before.split()
            verb, path = after.strip().split(" ", 1)
            if not method or verb == method:
                found.append(MirrorRequest(int(port), client, int(status), int(sent), float(ended), float(took), quoted, verb, path))
        return found

    def package_downloads(self) -> list[MirrorRequest]:
        """The GETs for package files, signatures not counted."""
        return [request for request in self.requests("GET") if request.name.endswith(".pkg.tar.zst")]

    def wan_bytes(self) -> int:
        """The bytes that were sent towards the LAN so far, IP packets and link headers."""
        return self.counters("eth0")[1]
