"""Tests for `pacserve.transfer.unfinished`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.files import ExpectedFile
from pacserve.transfer.spans import Spans
from pacserve.transfer.unfinished import (
    FILES_LIMIT,
    JOURNAL_LIMIT,
    KEPT_TIME,
    UNSTATED_TIME,
    Heading,
    Journal,
    UnfinishedFile,
    compose,
    hold_line,
    parse,
    span_line,
    step_of,
    superfluous,
)

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
BOOT = "0b1cbd04-53ad-4b41-9a5e-5b4a2e5a3b52"
HEADING = Heading(BOOT, 1000, 1_800_000_000, NAME)
NOW = 1_900_000_000.0
SPANS = st.lists(st.tuples(st.integers(0, 999), st.integers(1, 1000)).filter(lambda span: span[0] < span[1]), max_size=9)


class ParseTests(SynchronousTestCase):
    @given(SPANS, st.booleans())
    def test_there_and_back(self, spans: Sequence[tuple[int, int]], held: bool) -> None:
        """What is composed is read again; spans that were noted one after the other are put together."""
        journal = Journal(HEADING, tuple(Spans(spans)), held)
        self.assertEqual(parse(compose(journal)), journal)
        noted = compose(Journal(HEADING)) + b"".join(span_line(*span) for span in spans) + (hold_line() if held else b"")
        self.assertEqual(parse(noted), journal)

    @given(SPANS, st.integers(0, 300))
    def test_cut(self, spans: Sequence[tuple[int, int]], length: int) -> None:
        """A journal whose end is missing states no byte that is not there."""
        whole = Spans(spans)
        text = compose(Journal(HEADING)) + b"".join(span_line(*span) for span in spans)
        with contextlib.suppress(ValueError):
            for first, end in parse(text[:length]).spans:
                self.assertEqual(list(whole.missing(first, end)), [])

    @given(st.binary(max_size=200) | st.tuples(st.integers(0, 90), st.binary(min_size=1, max_size=3)))
    def test_damaged(self, damage: bytes | tuple[int, bytes]) -> None:
        """Damage costs no more than the file: nothing but `ValueError` is raised, and nothing is taken that can't be."""
        text = bytearray(compose(Journal(HEADING, ((0, 10), (500, 1000)))))
        if isinstance(damage, bytes):
            text += damage
        else:
            text[damage[0] : damage[0] + len(damage[1])] = damage[1]
        with contextlib.suppress(ValueError):
            journal = parse(bytes(text))
            self.assertTrue(all(0 <= first < end <= journal.heading.size for first, end in journal.spans))

    def test_refused(self) -> None:
        """Whatever is no journal is told from one."""
        good = compose(Journal(HEADING, ((0, 10),)))
        self.assertEqual(parse(good).done, 10)
        for bad in (
            b"",
            b"1",
            good.replace(b"1 ", b"2 ", 1),
            good.replace(NAME.encode(), b"../evil"),
            good.replace(b" 1000 ", b" 0 "),
            good.replace(BOOT.encode(), b"-"),
            good + b"5 1001\n",
            good + b"5 5\n",
            good + b"-1 5\n",
            good + b"5  9\n",
            good + b"5 9 \n",
            good + b"\n",
            good + b"\xff\n",
            good + b"0 1\n" * (JOURNAL_LIMIT // 4),
        ):
            self.assertRaises(ValueError, parse, bad)
        self.assertEqual(parse(good + b"11 9").spans, ((0, 10),))

    def test_short(self) -> None:
        """The journal of the largest file is read, though each step of it is a line of its own, and comes in four parts."""
        size = 10**12
        line = len(span_line(size, size))
        self.assertLess(size // step_of(size) * 4 * line, JOURNAL_LIMIT)


class SuperfluousTests(SynchronousTestCase):
    def file(self, number: int, age: float, taken: int = 10) -> UnfinishedFile:
        """A file to which nothing was added for some seconds."""
        return UnfinishedFile(f"/spool/{number}", bytes([number]) * 32, Journal(HEADING, ((0, 10),)), taken, NOW - age)

    def going(self, *files: UnfinishedFile, most: int = 1000) -> list[str]:
        """The paths of those that go, where the databases state number 1 to 99."""
        return [file.path for file in superfluous(files, most, NOW, lambda _: [ExpectedFile(1000, bytes([number]) * 32) for number in range(1, 99)])]

    def test_old(self) -> None:
        """A file goes after a week without a byte, and after a day when no database states it; so does one of a time far ahead."""
        files = [self.file(1, KEPT_TIME - 1), self.file(2, KEPT_TIME + 1), self.file(3, -KEPT_TIME - 1)]
        files += [self.file(200, UNSTATED_TIME - 1), self.file(201, UNSTATED_TIME + 1)]
        self.assertEqual(self.going(*files), ["/spool/2", "/spool/3", "/spool/201"])

    def test_too_large(self) -> None:
        """Those go first to which nothing was added for longest, and no more of them than need be."""
        files = [self.file(1, 10, 400), self.file(2, 30, 400), self.file(3, 20, 400)]
        self.assertEqual((self.going(*files), self.going(*files, most=1200)), (["/spool/2"], []))
        self.assertEqual(self.going(*files, most=0), ["/spool/2", "/spool/3", "/spool/1"])

    def test_too_many(self) -> None:
        """Only so many files are kept."""
        files = [self.file(number, 100 - number) for number in range(1, FILES_LIMIT + 3)]
        self.assertEqual(self.going(*files), ["/spool/1", "/spool/2"])
