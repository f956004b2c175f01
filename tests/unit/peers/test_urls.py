"""Tests for `pacserve.peers.urls`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.urls import parse_url
from pacserve.network.addresses import Endpoint
from pacserve.packages.files import FileKind, FileRequest
from pacserve.peers.urls import claim_url, fetch_url, info_url, package_url

NAME = "c++pkg-1:2.0+r3~rc1-1-any.pkg.tar.zst"


class URLTests(SynchronousTestCase):
    def test_last_part(self) -> None:
        """The last part of a package's URL contains neither .pkg nor .db, so that pacman asks its own host for the signature."""
        last = package_url(Endpoint("10.0.0.3", 15678), NAME).rpartition("/")[2]
        self.assertEqual(last, "data")

    def test_since(self) -> None:
        """Changes are asked for by the generation that they lead on from, of which 0 is one."""
        peer = Endpoint("10.0.0.3", 15678)
        self.assertEqual(
            [info_url(peer, since) for since in (None, 0, 7)], [f"http://10.0.0.3:15678/info{query}" for query in ("", "?since=0", "?since=7")]
        )

    def test_forms(self) -> None:
        """Every kind of address makes a URL that is read back as that address."""
        for host, text in (("10.0.0.3", "10.0.0.3"), ("fd77::b", "[fd77::b]"), ("fe80::1%eth0", "[fe80::1%25eth0]")):
            peer = Endpoint(host, 15678)
            self.assertEqual(package_url(peer, NAME), f"http://{text}:15678/package/{NAME}/data")
            self.assertEqual(info_url(peer), f"http://{text}:15678/info")
            read = parse_url(package_url(peer, NAME))
            self.assertEqual((read.host, read.port, read.target), (host, 15678, f"/package/{NAME}/data"))

    def test_downloads(self) -> None:
        """What is downloaded is asked for by repository, architecture and name, and claimed under an id and a key."""
        peer = Endpoint("10.0.0.3", 15678)
        request = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
        self.assertEqual(fetch_url(peer, request), f"http://10.0.0.3:15678/fetch/core/x86_64/{NAME}")
        self.assertEqual(claim_url(peer, "ask", f"core/x86_64/{NAME}", "0" * 32), f"http://10.0.0.3:15678/claim/ask/{'0' * 32}/core/x86_64/{NAME}")
        for url in (fetch_url(peer, request), claim_url(peer, "ask", NAME, "0" * 32)):
            self.assertEqual(str(parse_url(url)), url)
