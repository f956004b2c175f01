"""Tests for `pacserve.http.validators`."""

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.http.validators import format_date, make_etag, matches_if_range, matches_none_match, not_modified_since, parse_date

# The three forms of one moment, from RFC 9110, 5.6.7.
FORMS = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994")
MOMENT = 784111777
ETAG = '"17f-5d-9"'


class DateTests(SynchronousTestCase):
    def test_three_forms(self) -> None:
        """All three forms of an HTTP-date are read."""
        for form in FORMS:
            self.assertEqual(parse_date(form), MOMENT, form)

    def test_written_form(self) -> None:
        """Dates are written as IMF-fixdate."""
        self.assertEqual(format_date(MOMENT), FORMS[0])

    def test_two_digits_of_a_year(self) -> None:
        """A year of two digits is one of 1970 to 2069."""
        self.assertEqual(parse_date("Thursday, 01-Jan-70 00:00:00 GMT"), 0)
        self.assertEqual(parse_date("Tuesday, 01-Jan-69 00:00:00 GMT"), parse_date("Tue, 01 Jan 2069 00:00:00 GMT"))

    def test_leap_second(self) -> None:
        """A leap second, which the grammar allows, is read as the second before."""
        self.assertEqual(parse_date("Sat, 31 Dec 2016 23:59:60 GMT"), parse_date("Sat, 31 Dec 2016 23:59:59 GMT"))

    def test_no_dates(self) -> None:
        """What is no HTTP-date is no time: other zones, impossible days and hours, names in other cases, further text."""
        for text in (
            "",
            "0",
            "yesterday",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "sun, 06 nov 1994 08:49:37 gmt",
            "Sun, 06 Nov 1994 08:49:37 GMT; length=5",
            "Sun, 06 Nov 1994 08:49:37 GMT\n",
            "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
        ):
            self.assertIsNone(parse_date(text), text)

    def test_far_away(self) -> None:
        """A file whose time no HTTP-date can state gets the nearest one that can be stated."""
        self.assertEqual(parse_date(format_date(-5)), 0)
        self.assertEqual(format_date(1 << 62), "Fri, 31 Dec 9999 23:59:59 GMT")

    @given(st.integers(0, 253402300799))
    def test_round_trip(self, seconds: int) -> None:
        """Every second from 1970 to 9999 survives being written and read, and is written as others write it."""
        self.assertEqual(parse_date(format_date(seconds)), seconds)
        self.assertEqual(format_date(seconds), format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True))

    @given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")))
    def test_never_raises(self, text: str) -> None:
        """Whatever a client calls a date is a time or none."""
        self.assertIsInstance(parse_date(text), int | None)


class EntityTagTests(SynchronousTestCase):
    def test_differs(self) -> None:
        """Another size, mtime or file has another tag, and each is a strong one with its quotes."""
        tags = {make_etag(5, 7, 9), make_etag(6, 7, 9), make_etag(5, 8, 9), make_etag(5, 7, 10)}
        self.assertEqual(len(tags), 4)
        for tag in tags:
            self.assertTrue(tag.startswith('"') and tag.endswith('"'), tag)

    def test_before_the_epoch(self) -> None:
        """A file from before 1970 has a tag that its own client's If-None-Match matches."""
        tag = make_etag(5, -7, 9)
        self.assertTrue(matches_none_match(tag, tag))


class NoneMatchTests(SynchronousTestCase):
    def test_matches(self) -> None:
        """The tag is found alone, among others, weak, and behind a star."""
        for header in (ETAG, f'"a", {ETAG}', f'"a,b",{ETAG} , "c"', f"W/{ETAG}", "*", " * "):
            self.assertTrue(matches_none_match(header, ETAG), header)

    def test_does_not_match(self) -> None:
        """Other tags, parts of a tag, and the tag without its quotes do not match."""
        for header in ("", '"a"', ETAG.strip('"'), '"17f-5d-9', '"*"', '"17f', 'x"17f-5d-"'):
            self.assertFalse(matches_none_match(header, ETAG), header)

    @given(st.text(), st.text())
    def test_finds_it_anywhere(self, before: str, after: str) -> None:
        """Nothing that stands around the tag, but for a quote, hides it or breaks the comparison."""
        header = f"{before}, {ETAG}, {after}"
        found = matches_none_match(header, ETAG)
        self.assertTrue(found or '"' in before)


class ModifiedSinceTests(SynchronousTestCase):
    def test_same_and_later(self) -> None:
        """A client whose date is the file's or later has the file."""
        self.assertTrue(not_modified_since(FORMS[0], MOMENT))
        self.assertTrue(not_modified_since(f" {FORMS[2]} ", MOMENT - 1))

    def test_earlier_or_no_date(self) -> None:
        """A client whose date is earlier, or is none, does not have the file as it is."""
        self.assertFalse(not_modified_since(FORMS[0], MOMENT + 1))
        self.assertFalse(not_modified_since("once", MOMENT))


class IfRangeTests(SynchronousTestCase):
    def test_matches(self) -> None:
        """The range may be sent where the tag or the date is exactly the file's."""
        self.assertTrue(matches_if_range(ETAG, ETAG, MOMENT))
        self.assertTrue(matches_if_range(FORMS[0], ETAG, MOMENT))

    def test_does_not_match(self) -> None:
        """A weak tag, another tag, a list, a star, an earlier or later date and nonsense ask for the whole file."""
        for header in (f"W/{ETAG}", '"a"', f'"a", {ETAG}', "*", ETAG.strip('"'), "Sun, 06 Nov 1994 08:49:38 GMT", "once", ""):
            self.assertFalse(matches_if_range(header, ETAG, MOMENT), header)

    def test_weak_file(self) -> None:
        """A tag that says of itself that it is weak allows no ranges."""
        self.assertFalse(matches_if_range('W/"a"', 'W/"a"', MOMENT))

    @given(st.text())
    def test_never_raises(self, header: str) -> None:
        """Whatever stands in If-Range is compared or does not match."""
        self.assertIsInstance(matches_if_range(header, ETAG, MOMENT), bool)
