"""Tests for `pacserve.report.origins`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.report.origins import Origin, origin_of


class OriginTests(SynchronousTestCase):
    def test_origins(self) -> None:
        """Where bytes came from is known by the first word of what the log says of it."""
        for text, origin in (
            ("cache", Origin.CACHE),
            ("copy of mirror http://a", Origin.CACHE),
            ("folder /srv/repo", Origin.CACHE),
            ("peer 10.0.0.3:15678", Origin.PEERS),
            ("peer [fe80::1%eth0]:15678, relayed", Origin.PEERS),
            ("mirror https://example.org/core/os/x86_64", Origin.MIRRORS),
            ("mirror https://example.org, downloaded", Origin.MIRRORS),
            ("mirrors https://a 7 bytes, https://b 5 bytes, downloaded", Origin.MIRRORS),
            ("mirrors https://a 7 bytes, peer 10.0.0.3:15678 5 bytes, downloaded", Origin.MIRRORS),
            ("peers 10.0.0.3:15678 7 bytes, mirror https://a 5 bytes, relayed", Origin.PEERS),
            ("downloaded", Origin.MIRRORS),
            ("", Origin.NONE),
            ("peerless", Origin.NONE),
        ):
            self.assertIs(origin_of(text, 200), origin, text)
        self.assertIs(origin_of("mirror http://a", 504), Origin.NONE)
