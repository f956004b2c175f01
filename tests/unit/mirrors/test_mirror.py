"""Tests for `pacserve.mirrors.mirror`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.urls import parse_url
from pacserve.mirrors.mirror import Mirror


class NearTests(SynchronousTestCase):
    def test_near(self) -> None:
        """A mirror is near whose address is of this host or a private range, however it is written; a name tells nothing."""
        for host, near in (
            ("10.1.2.3", True),
            ("172.16.0.1", True),
            ("172.32.0.1", False),
            ("192.168.1.1", True),
            ("169.254.1.1", True),
            ("127.0.0.1", True),
            ("127.1", True),
            ("[::1]", True),
            ("[fd77::1]", True),
            ("[fe80::1%25eth0]", True),
            ("[::ffff:10.0.0.1]", True),
            ("[2001:db8::1]", False),
            ("198.51.100.7", False),
            ("mirror.example", False),
        ):
            self.assertEqual(Mirror(f"http://{host}", parse_url(f"http://{host}"), local=False).near, near, host)

    def test_this_host(self) -> None:
        """A mirror under a name of this host is near."""
        self.assertTrue(Mirror("http://me", parse_url("http://me"), local=True).near)
