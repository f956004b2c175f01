"""Tests for `pacserve.pacman.servers`."""

import contextlib
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.urls import parse_url
from pacserve.mirrors.folders import Folders
from pacserve.mirrors.mirror import Mirror
from pacserve.network.addresses import IPAddress, LocalAddresses
from pacserve.pacman.configuration import PacmanConfiguration, Repository
from pacserve.pacman.servers import Servers, for_architecture
from tests.fakes.interfaces import Configuration


class Local(LocalAddresses):
    """A host with the address 10.0.0.3."""

    def owns(self, address: IPAddress) -> bool:
        return address.is_loopback or address == ip_address("10.0.0.3")

    def attached(self, address: IPAddress) -> bool:
        return False


def configuration(*servers: str, architectures: tuple[str, ...] = ("x86_64",)) -> PacmanConfiguration:
    """A pacman.conf with one repository."""
    return PacmanConfiguration(architectures, (), "/var/lib/pacman", {"core": Repository("core", servers)})


class ServersTests(SynchronousTestCase):
    def servers(self, configuration: PacmanConfiguration, port: int = 15678) -> Servers:
        """The Server lines of a pacman.conf."""
        source = Configuration()
        source.value = configuration
        return Servers(source, Local(), ["Myhost", "myhost.lan."], port)

    def bases(self, *servers: str) -> list[str]:
        """The mirrors among Server lines."""
        return [mirror.base for mirror in self.servers(configuration(*servers)).mirrors("core", "x86_64")]

    def test_only_http(self) -> None:
        """Http and https servers are mirrors in pacman's order, each once; other schemes and malformed lines are left out."""
        found = self.bases(
            "https://b.example/core", "http://a.example/core/", "ftp://a.example/core", "file:///srv", "http://", "/x", "https://b.example/core"
        )
        self.assertEqual(found, ["https://b.example/core", "http://a.example/core"])

    def test_this_daemon_is_no_mirror(self) -> None:
        """Whatever leads back to this daemon is left out, however it is written."""
        for host in (
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.0.0.9",
            "127.1",
            "2130706433",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "[::]",
            "10.0.0.3",
            "user:password@10.0.0.3",
            "myhost",
            "MyHost.lan",
            "myhost.lan.",
        ):
            self.assertEqual(self.bases(f"http://{host}:15678/request/core/x86_64"), [], host)

    def test_other_ports_and_hosts(self) -> None:
        """Another server on this host is a mirror, and so is another host's pacserve."""
        for base in ("http://localhost:8080/core", "http://localhost/core", "http://10.0.0.4:15678/request/core", "http://myhost2:15678/x"):
            self.assertEqual(self.bases(base), [base])

    def test_default_ports(self) -> None:
        """A daemon on port 80 or 443 knows itself where no port is written."""
        for port, url in ((80, "http://localhost/core"), (443, "https://localhost/core")):
            self.assertEqual(self.servers(configuration(url), port).mirrors("core", "x86_64"), ())

    def test_local_mirrors(self) -> None:
        """A mirror that pacman.conf places on this host or its link is known as such, others are not."""
        for base, local in (
            ("http://127.0.0.1:8080/core", True),
            ("http://myhost:8080/core", True),
            ("http://169.254.1.1/core", True),
            ("http://10.0.0.4/core", False),
            ("http://a.example/core", False),
        ):
            (mirror,) = self.servers(configuration(base)).mirrors("core", "x86_64")
            self.assertEqual(mirror.local, local, base)

    def test_folders(self) -> None:
        """Every form of file:// that libcurl takes names a folder of this host; that of another host does not, and neither do other schemes."""
        for server, folder in (
            ("file:///srv/repo", "/srv/repo"),
            ("FILE://localhost/srv/repo/", "/srv/repo"),
            ("file://127.0.0.1/srv", "/srv"),
            ("file:/srv", "/srv"),
            ("file:///srv/my%20repo?x=1#y", "/srv/my repo"),
            ("file:///srv/\u00e4", "/srv/\u00e4"),
            ("file:///srv/\udce4", "/srv/\udce4"),
            ("file://nas/srv", ""),
            ("file:///srv%00", ""),
            ("file:///", ""),
            ("http://a.example/file:///srv", ""),
            ("/srv", ""),
        ):
            found = self.servers(configuration(server)).folders("core", "x86_64")
            self.assertEqual(found.first, (folder,) if folder else (), server)

    def test_order_of_folders(self) -> None:
        """Folders stand before or behind the first mirror, as in pacman.conf; this daemon and what can't be asked are no mirrors."""
        here, http = "http://localhost:15678/request/core/x86_64", "http://a.example/core"
        for servers, expected in (
            ((here, "file:///a", http, "file:///b", "http://b.example", "file:///c", "file:///a"), Folders(("/a",), ("/b", "/c"))),
            ((http, "file:///a"), Folders((), ("/a",))),
            ((here, "ftp://a.example", "file:///a", "file:///b"), Folders(("/a", "/b"), (), alone=True)),
            ((here, http), Folders()),
        ):
            self.assertEqual(self.servers(configuration(*servers)).folders("core", "x86_64"), expected, servers)
        self.assertEqual(self.servers(configuration("file:///a")).folders("extra", "x86_64"), Folders())
        two = configuration("file:///srv/x86_64/core", architectures=("x86_64", "v3"))
        self.assertEqual(self.servers(two).folders("core", "v3").first, ("/srv/v3/core",))

    def test_folders_of_another_configuration(self) -> None:
        """A configuration that has changed is looked at anew."""
        source = Configuration()
        source.value = configuration("http://a.example/core")
        servers = Servers(source, Local(), [], 15678)
        self.assertEqual(servers.folders("core", "x86_64"), Folders())
        source.value = configuration("file:///a")
        self.assertEqual(servers.folders("core", "x86_64"), Folders(("/a",), alone=True))

    def test_unknown_repository(self) -> None:
        """A repository that is not in pacman.conf has no mirrors."""
        self.assertEqual(self.servers(configuration("http://a.example")).mirrors("extra", "x86_64"), ())

    def test_architectures(self) -> None:
        """For another architecture whole path parts are replaced, and nothing else."""
        for server, expected in (
            ("http://x86_64/x86_64/os/x86_64/", "http://x86_64/v3/os/v3"),
            ("http://a.example/x86_64-old/core", "http://a.example/x86_64-old/core"),
            ("http://x86_64", "http://x86_64"),
        ):
            self.assertEqual(for_architecture(server, "x86_64", "v3"), expected)
        two = configuration("http://a.example/core/os/x86_64", architectures=("x86_64", "v3"))
        self.assertEqual([mirror.base for mirror in self.servers(two).mirrors("core", "v3")], ["http://a.example/core/os/v3"])
        self.assertEqual([mirror.base for mirror in self.servers(two).mirrors("core", "x86_64")], ["http://a.example/core/os/x86_64"])

    def test_file_urls(self) -> None:
        """Names are put behind the Server line raw, as pacman does, with the password that pacman needs."""
        mirror = Mirror("http://u:p@a.example/core", parse_url("http://u:p@a.example/core"), False)
        name = "c++pkg-1:2.0+r3.gabc~rc1-1-any.pkg.tar.zst"
        self.assertEqual(mirror.file_url(name), f"http://u:p@a.example/core/{name}")
        self.assertEqual(mirror.file_url("a@b%.db"), "http://u:p@a.example/core/a@b%25.db")

    @given(st.text(max_size=40), st.sampled_from(("http://", "https://", "HTTP://localhost", "http://[::1]", "")))
    def test_any_server_line(self, text: str, start: str) -> None:
        """Whatever stands in a Server line, its files have valid URLs or it is no mirror, and it never is this daemon."""
        for mirror in self.servers(configuration(start + text)).mirrors("core", "x86_64"):
            with contextlib.suppress(ValueError):
                url = parse_url(mirror.file_url("a-1-1-any.pkg.tar.zst"))
                self.assertEqual((url.host, url.port), (mirror.url.host, mirror.url.port))
                self.assertNotEqual((url.host, url.port), ("localhost", 15678))
