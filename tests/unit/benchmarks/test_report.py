"""Tests for `benchmarks.report`."""

from __future__ import annotations

import io
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.report import Aim, Result, closing, line, shown, table


class ReportTests(SynchronousTestCase):
    def test_line(self) -> None:
        """A line has the figure with its unit, and beside it what it is compared with and whether its aim was met."""
        for result, text in (
            (Result("idle", "UDP per host", 12.34, "KB"), "  UDP per host: 12.3 KB"),
            (Result("redirects", "to a peer", 9800, "requests/s", 61000, 0.16), "  to a peer: 9,800 requests/s (beside 61,000, 0.16x)"),
            (Result("start", "first answer", 0.5, "s", aim=Aim(0.4, least=False)), "  first answer: 0.5 s (aim <= 0.4: NO)"),
            (Result("burst", "wrong", 0, "", aim=Aim(0, least=False)), "  wrong: 0 (aim <= 0: yes)"),
        ):
            self.assertEqual(line(result), text)

    def test_shown_at_once(self) -> None:
        """A figure is written and flushed before the next one is measured, and before a failure."""
        out = Flushed()
        seen: list[str] = []

        def measure() -> Iterator[Result]:
            yield Result("a", "first", 1, "s")
            seen.append(out.flushed)
            yield Result("a", "second", 2, "s")
            seen.append(out.flushed)
            raise ZeroDivisionError

        results: list[Result] = []
        with self.assertRaises(ZeroDivisionError):
            results.extend(shown(measure(), out))
        self.assertEqual(seen, ["  first: 1 s\n", "  first: 1 s\n  second: 2 s\n"])
        self.assertEqual([result.what for result in results], ["first", "second"])

    def test_table(self) -> None:
        """The table has a line for each result below its headings."""
        lines = table([Result("start", "first answer", 0.5, "s"), Result("memory", "idle", 50, "MB")]).splitlines()
        self.assertEqual([one.split()[0] for one in lines], ["benchmark", "start", "memory"])

    def test_closing(self) -> None:
        """The last lines say how long it took, what took most of it, and how to measure what was left out."""
        took = {"a": 1.0, "b": 30.0, "c": 2.0, "d": 9.0, "e": 7.0, "f": 3.0}
        self.assertEqual(closing(took, []), "Medians, taken in 52 s; of these b 30 s, d 9 s, e 7 s, f 3 s, c 2 s.")
        left_out = closing(took, ["growth", "restarts"]).splitlines()[1]
        self.assertIn("growth, restarts", left_out)
        self.assertIn("make bench ARGS=growth", left_out)


class Flushed(io.StringIO):
    """
    A text that knows how much of it was flushed.

    Attributes:
        flushed: What a reader of the other end has seen.
    """

    flushed = ""

    def flush(self) -> None:
        self.flushed = self.getvalue()
