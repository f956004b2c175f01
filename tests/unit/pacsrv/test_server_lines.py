"""Tests for `pacserve.pacsrv.server_lines`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.server_lines import meant_for_this_host, mistake_in, pacserve_port, pacserve_serves, scheme_of, server_line


class ServerTests(SynchronousTestCase):
    def test_pacserve(self) -> None:
        """Lines to the pacserve of this host are known by every name of loopback; others are not."""
        for host in ("localhost", "LOCALHOST", "127.0.0.1", "127.0.0.2", "[::1]"):
            self.assertEqual(pacserve_port(f"http://{host}:15678/request/$repo/$arch"), 15678)
        self.assertEqual(pacserve_port("http://localhost/request/$repo/$arch/"), 80)
        for server in (
            "http://nas.lan:15678/request/$repo/$arch",
            "http://localhost:15678/repos/$repo/os/$arch",
            "https://localhost:15678/request/$repo/$arch",
            "http://localhost.example.org:15678/request/$repo/$arch",
            "http://localhost:99999/request/$repo/$arch",
            "http://[::1/request/$repo/$arch",
            "",
        ):
            self.assertIsNone(pacserve_port(server), server)

    def test_served(self) -> None:
        """pacserve is of use where there is an http or https mirror."""
        self.assertTrue(pacserve_serves(["file:///srv", "HTTPS://a/"]))
        self.assertFalse(pacserve_serves(["file:///srv", "ftp://a/"]))

    def test_schemes(self) -> None:
        """A scheme is told without regard to case; a path or a host without one has none."""
        for server, scheme in (("HTTPS://a/", "https"), ("file:///srv", "file"), ("rsync://a/", "rsync"), ("/srv", ""), ("localhost:15678/x", "")):
            self.assertEqual(scheme_of(server), scheme)

    def test_right_lines(self) -> None:
        """The line itself has no mistake, for this host or another one; neither have mirrors, whatever they are called."""
        for server in (
            server_line(15680).removeprefix("Server = "),
            "http://127.0.0.1:15678/request/$repo/$arch/",
            "http://nas.lan:15678/request/$repo/$arch",
            "http://localhost:8080/$repo",
            "http://localhost/$repo",
            "https://mirror.example/$repo/os/$arch_v3",
            "file:///request/$repo",
            "/srv",
            "http://localhost:x/",
            "",
        ):
            self.assertEqual(mistake_in(server, 15680), "", server)

    def test_mistakes(self) -> None:
        """Each way to miss pacserve is told."""
        for server, part in (
            ("http://localhost:15678/request/$repo/$arch_v3", "$arch_v3 names no"),
            ("http://localhost:15678/request/$repo-v3/$arch", "$repo-v3 names no"),
            ("https://localhost:15678/request/$repo/$arch", "not https"),
            ("localhost:15678/request/$repo/$arch", "http:// is missing"),
            ("http://localhost:15678/$repo/os/$arch", "under /request/$repo/$arch"),
            ("http://localhost:15678", "under /request/$repo/$arch"),
            ("http://127.0.0.1:15680/request/$repo", "under /request/$repo/$arch"),
            ("http://localhost:15678/request/$arch/$repo", "under /request/$repo/$arch"),
            ("http://localhost:99999/request/$repo/$arch", "no URL"),
            ("http://localhost:15678/request/$repo/$arch # pacserve", "behind $arch"),
            ("http://nas.lan:15678/request/$repo", "under /request/$repo/$arch"),
        ):
            self.assertIn(part, mistake_in(server, 15680), server)

    @given(st.text(max_size=40), st.sampled_from(("http://localhost:15678/request/", "http://", "ftp://localhost:15678", "")))
    def test_any_line(self, text: str, start: str) -> None:
        """No line is too odd to be judged, and one that reaches pacserve has no mistake but what pacman takes for a part of it."""
        mistake = mistake_in(start + text, 15678)
        if pacserve_port(start + text) is not None:
            self.assertIn(mistake, ("", "something stands behind $arch, which pacman takes for a part of the URL"))


class MeantForThisHostTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """A line that names pacserve on this host is meant for it, on any port and with mistakes; those of other hosts and other programs are not."""
        for server, meant in (
            ("http://localhost:15678/request/$repo/$arch", True),
            ("http://127.0.0.1:15680/request/$repo/$arch/", True),
            ("http://[::1]:15678/request/$repo/$arch_v3", True),
            ("https://localhost:15678/request/$repo/$arch", True),
            ("localhost:15678/request/$repo/$arch", True),
            ("http://localhost:15678/$repo/$arch", True),
            ("http://localhost:8080/$repo/$arch", False),
            ("http://nas.lan:15678/request/$repo/$arch", False),
            ("http://nas.lan:15678/request/$repo/$arch_v3", False),
            ("file:///srv/request/x", False),
            ("http://[", False),
            ("", False),
        ):
            self.assertEqual(meant_for_this_host(server, 15678), meant, server)
