"""Tests for `pacserve.http.ranges`."""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.http.ranges import UNSATISFIABLE, ByteRange, parse_range, resumed_at

SIZES = st.integers(1, 1 << 50)


class ParseRangeTests(SynchronousTestCase):
    def test_first_and_last(self) -> None:
        """Both ends of a range belong to it."""
        self.assertEqual(parse_range("bytes=0-499", 1000), ByteRange(0, 499))
        self.assertEqual(ByteRange(0, 499).length, 500)

    def test_open_end(self) -> None:
        """A range without an end goes to the end of the file."""
        self.assertEqual(parse_range("bytes=500-", 1000), ByteRange(500, 999))

    def test_end_beyond_the_file(self) -> None:
        """A range that ends behind the file ends with it."""
        self.assertEqual(parse_range("bytes=999-100000", 1000), ByteRange(999, 999))

    def test_suffix(self) -> None:
        """A suffix is the last bytes of the file."""
        self.assertEqual(parse_range("bytes=-1", 1000), ByteRange(999, 999))

    def test_suffix_longer_than_the_file(self) -> None:
        """A suffix that is longer than the file is the whole of it, as a range."""
        self.assertEqual(parse_range("bytes=-1001", 1000), ByteRange(0, 999))

    def test_beyond_the_file(self) -> None:
        """A range that begins behind the last byte, and a suffix of no bytes, can't be satisfied."""
        for header in ("bytes=1000-", "bytes=1000-1001", "bytes=-0"):
            self.assertIs(parse_range(header, 1000), UNSATISFIABLE, header)

    def test_empty_file(self) -> None:
        """No range lies within an empty file, but its suffix is all of it."""
        self.assertIs(parse_range("bytes=0-", 0), UNSATISFIABLE)
        self.assertIs(parse_range("bytes=-0", 0), UNSATISFIABLE)
        self.assertIsNone(parse_range("bytes=-5", 0))

    def test_case_and_space(self) -> None:
        """The unit is matched without regard to case, and space around the range does not matter."""
        self.assertEqual(parse_range("Bytes= 1-2\t", 10), ByteRange(1, 2))

    def test_ignored(self) -> None:
        """Several ranges, other units and whatever is malformed are ignored: the whole file is sent."""
        for header in (
            "bytes=0-1,3-4",
            "bytes=0-1," * 3000,
            "lines=0-1",
            "bytes=5-4",
            "bytes=",
            "bytes=-",
            "bytes 0-1",
            "0-1",
            "",
            "bytes=a-b",
            "bytes=0x1-2",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=1-2-",
            "bytes=0-1\n",
            "bytes=\u0661-",  # a digit, but none of ASCII
        ):
            self.assertIsNone(parse_range(header, 1000), header)

    def test_many_digits(self) -> None:
        """Numbers that no file reaches are ignored before they are read."""
        self.assertIsNone(parse_range("bytes=0-" + "9" * 5000, 1000))
        self.assertIsNone(parse_range("bytes=-" + "9" * 5000, 1000))

    def test_content_range(self) -> None:
        """Content-Range names the first byte, the last byte and the size."""
        self.assertEqual(ByteRange(5, 9).content_range(10), "bytes 5-9/10")

    @given(st.one_of(st.text(), st.from_regex(r"bytes=[0-9]{0,22}-[0-9]{0,22}", fullmatch=True)), SIZES)
    @example("bytes=-18446744073709551616", 1)
    def test_always_within(self, header: str, size: int) -> None:
        """Whatever is asked for, what is sent lies within the file."""
        selected = parse_range(header, size)
        if isinstance(selected, ByteRange):
            self.assertTrue(0 <= selected.first <= selected.last < size)

    @given(SIZES, st.data())
    def test_written_ranges(self, size: int, data: st.DataObject) -> None:
        """Every range within the file is understood as it was meant."""
        first = data.draw(st.integers(0, size - 1))
        last = data.draw(st.integers(first, size - 1))
        self.assertEqual(parse_range(f"bytes={first}-{last}", size), ByteRange(first, last))


class ResumedTests(SynchronousTestCase):
    def test_resumed(self) -> None:
        """A client that resumes a file says where; everything else is the beginning."""
        for field, first in (("bytes=17-", 17), ("bytes=17-20", 0), ("bytes=-5", 0), ("bytes=1-,5-", 0), (f"bytes={'9' * 30}-", 0), (None, 0)):
            self.assertEqual(resumed_at(field), first)
