"""Tests for `tools.demo.outcome`."""

from twisted.trial.unittest import SynchronousTestCase

from tools.demo.outcome import Outcome, Share, given, summary, table

LOG = """\
2026-01-01T00:00:00+0000 [info] GET /request/core/x86_64/a-1-1-any.pkg.tar.zst: 200 from download, 4000 bytes, 5.0 ms
2026-01-01T00:00:00+0000 [info] GET /fetch/core/x86_64/a-1-1-any.pkg.tar.zst: 200 from download, 1000 bytes, 5.0 ms, for 10.77.0.12
2026-01-01T00:00:00+0000 [info] GET /package/a-1-1-any.pkg.tar.zst/data: 206 from cache, 200 bytes, cut short, 5.0 ms, for 10.77.0.12
2026-01-01T00:00:00+0000 [info] GET /package/b-1-1-any.pkg.tar.zst: 404 after cache, 50 bytes, 5.0 ms, for 10.77.0.12
2026-01-01T00:00:00+0000 [info] HEAD /package/a-1-1-any.pkg.tar.zst/data: 200 from cache, 70 bytes, 5.0 ms, for 10.77.0.13
2026-01-01T00:00:00+0000 [info] GET /package/a-1-1-any.pkg.tar.zst.sig: 200 from cache, 30 bytes, 5.0 ms, for 10.77.0.13
"""


class GivenTests(SynchronousTestCase):
    def test_log(self) -> None:
        """What other hosts were given counts, for each of them; errors, questions and what its own pacman got do not."""
        self.assertEqual(given(LOG.splitlines()), {"10.77.0.12": 1200, "10.77.0.13": 30})


class TableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ours = Outcome("with pacserve", [Share("h1", 2_000_000, {}, 1.0), Share("h2", 0, {"h1": 2_000_000}, 1.25)], 2_100_000)
        self.theirs = Outcome("without", [Share("h1", 2_000_000, {}, 2.0), Share("h2", 2_000_000, {}, 2.0)], 4_200_000)

    def test_table(self) -> None:
        """Each host has a line with what it got from where, and each upgrade one with the sums, the WAN and the time of the last."""
        lines = [line.split("  ") for line in table([self.ours, self.theirs]).splitlines() if not line.startswith("-")]
        cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
        self.assertEqual(
            cells,
            [
                ["from mirror", "from h1", "from h2", "time", "WAN carried"],
                ["with pacserve", "h1", "2.0 MB", "-", "-", "1.0 s"],
                ["h2", "-", "2.0 MB", "-", "1.2 s"],
                ["all", "2.0 MB", "2.0 MB", "-", "1.2 s", "2.1 MB"],
                ["without", "h1", "2.0 MB", "-", "-", "2.0 s"],
                ["h2", "2.0 MB", "-", "-", "2.0 s"],
                ["all", "4.0 MB", "-", "-", "2.0 s", "4.2 MB"],
            ],
        )

    def test_summary(self) -> None:
        """One sentence says what the WAN and the hosts were spared."""
        sentence = summary(self.ours, self.theirs)
        for words in ("2.1 MB instead of 4.2 MB", "2.0 times less", "1.2 s instead of 2.0 s"):
            self.assertIn(words, sentence)
