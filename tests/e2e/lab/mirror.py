"""The mirror out in the Internet: nginx, with several sites on ports of their own."""

from __future__ import annotations

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
    log_format lab '$server_port $remote_addr $status $body_bytes_sent "$http_range" $request_method $uri';
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
        directives: More lines of nginx's `server` block.
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
        path: Percent-decoded.
    """

    port: int
    client: str
    status: int
    sent: int
    range: str
    method: str
    path: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


class Mirror(Namespace):
    """A machine out in the Internet that nginx runs on."""

    ip = "10.78.0.2"
    # TEST-NET-2 (RFC 5737): no private range, so for the hosts of the LAN it is the outside.
    public_ip = "198.51.100.2"

    def start(self, sites: Sequence[Site]) -> None:
        """Starts nginx with these sites."""
        blocks = "".join(f"server {{ listen {site.port}; listen [::]:{site.port}; root {site.root}; {site.directives} }}\n" for site in sites)
        configuration = self.dir / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(dir=self.dir, sites=blocks))
        self.spawn(["nginx", "-e", f"{self.dir}/error.log", "-c", str(configuration)], log=self.dir / "nginx.out")
        wait_until(lambda: all(self.listens(site.port) for site in sites), "the mirror")

    def requests(self, method: str = "") -> list[MirrorRequest]:
        """What was answered so far, in the order in which it was done; only that of one method if it is given."""
        found = []
        for line in (self.dir / "access.log").read_text().splitlines():
            before, quoted, after = line.split('"', 2)
            port, client, status, sent = before.split()
            verb, path = after.strip().split(" ", 1)
            if not method or verb == method:
                found.append(MirrorRequest(int(port), client, int(status), int(sent), quoted, verb, path))
        return found

    def package_downloads(self) -> list[MirrorRequest]:
        """The GETs for package files, signatures not counted."""
        return [request for request in self.requests("GET") if request.name.endswith(".pkg.tar.zst")]

    def wan_bytes(self) -> int:
        """The bytes that were sent towards the LAN so far, IP packets and link headers."""
        return self.counters("eth0")[1]
