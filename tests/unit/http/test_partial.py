"""Tests for `pacserve.http.partial`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.http.partial import Version, continued_at, version_of

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


class VersionTests(SynchronousTestCase):
    def test_downloads(self) -> None:
        """Of two attempts of a pacserver at one file the date says nothing, and against another server's tag it does."""
        first, second, mirror = (Version(5, etag, "Sun, 06 Nov 1994 08:49:37 GMT") for etag in (f'"{"ab" * 32}-0"', f'"{"ab" * 32}-1"', '"5-17"'))
        self.assertFalse(first.is_that_of(second))
        self.assertTrue(first.is_that_of(first))
        self.assertTrue(first.is_that_of(mirror))
        self.assertTrue(mirror.is_that_of(second))

    def test_same(self) -> None:
        """Two answers are of one file when size and a validator are equal, though the entity tags of two servers differ."""
        one = Version(5, '"a"', DATE)
        for other, same in (
            (Version(5, '"a"', DATE), True),
            (Version(5, '"b"', DATE), True),
            (Version(5, '"a"', ""), True),
            (Version(5, '"b"', "another day"), False),
            (Version(6, '"a"', DATE), False),
            (Version(None, '"a"', DATE), False),
            (Version(5, "", ""), False),
        ):
            self.assertEqual(one.is_that_of(other), same, other)
        self.assertFalse(Version(None, '"a"', DATE).is_that_of(Version(None, '"a"', DATE)))
        self.assertFalse(Version(5, "", "").is_that_of(Version(5, "", "")))

    def test_headers(self) -> None:
        """Weak entity tags do not count."""
        headers = {"ETag": ' W/"a"', "Last-Modified": f" {DATE} "}
        self.assertEqual(version_of(headers.get, 5), Version(5, "", DATE))
        self.assertEqual(version_of({"ETag": '"a"'}.get, None), Version(None, '"a"', ""))
        self.assertEqual([Version(1, '"a"', DATE).validator, Version(1, "", DATE).validator, Version(1, "", "").validator], ['"a"', DATE, ""])


class ContinuedTests(SynchronousTestCase):
    def test_continued(self) -> None:
        """Only the part from the offset to the end of the file continues it."""
        for header, size in (
            ("bytes 10-99/100", 100),
            ("Bytes 10-99/100 ", 100),
            ("bytes 11-99/100", None),
            ("bytes 10-98/100", None),
            ("bytes 10-99/*", None),
            ("bytes */100", None),
            ("bytes 10-99/99999999999999999999", None),
            ("", None),
            (None, None),
        ):
            self.assertEqual(continued_at(header, 10), size, header)

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """Whatever the header is, it is understood or not."""
        self.assertIsNone(continued_at(text, 3))
