"""Tests for `pacserve.http.conditional`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.http.conditional import NOT_MODIFIED, UNSATISFIABLE, WHOLE, Decision, decide
from pacserve.http.ranges import ByteRange
from pacserve.http.validators import format_date

ETAG = '"tag"'
MODIFIED = 1_700_000_000
DATE = format_date(MODIFIED)
EARLIER = format_date(MODIFIED - 1)
NAMES = ("If-None-Match", "If-Modified-Since", "If-Range", "Range")


def decided(method: str = "GET", size: int = 100, **headers: str) -> Decision:
    """The decision on a file of 100 bytes for a request with these headers, underscores standing for hyphens."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return decide(method, fields.get, size, MODIFIED, ETAG)


class DecideTests(SynchronousTestCase):
    def test_no_conditions(self) -> None:
        """A request that asks for nothing special gets the whole file."""
        self.assertEqual(decided(), WHOLE)

    def test_not_modified(self) -> None:
        """Who has the file, by its tag or its date, gets 304, for HEAD as for GET."""
        for method in ("GET", "HEAD"):
            self.assertEqual(decided(method, If_None_Match=ETAG), NOT_MODIFIED)
            self.assertEqual(decided(method, If_Modified_Since=DATE), NOT_MODIFIED)

    def test_none_match_wins(self) -> None:
        """If-Modified-Since is ignored where there is If-None-Match."""
        self.assertEqual(decided(If_None_Match='"other"', If_Modified_Since=DATE), WHOLE)
        self.assertEqual(decided(If_None_Match=ETAG, If_Modified_Since=EARLIER), NOT_MODIFIED)

    def test_condition_before_range(self) -> None:
        """Who has the file gets 304 although a range was asked for, even one that can't be satisfied."""
        self.assertEqual(decided(If_Modified_Since=DATE, Range="bytes=5-"), NOT_MODIFIED)
        self.assertEqual(decided(If_None_Match=ETAG, Range="bytes=100-"), NOT_MODIFIED)

    def test_range(self) -> None:
        """A range within the file is sent alone, one outside of it is refused."""
        self.assertEqual(decided(Range="bytes=5-"), Decision(206, ByteRange(5, 99)))
        self.assertEqual(decided(Range="bytes=100-"), UNSATISFIABLE)

    def test_ignored_range(self) -> None:
        """Several ranges, and what is no range, get the whole file."""
        self.assertEqual(decided(Range="bytes=0-1,4-5"), WHOLE)
        self.assertEqual(decided(Range="pages=1"), WHOLE)

    def test_head_has_no_range(self) -> None:
        """A Range means nothing for a HEAD."""
        self.assertEqual(decided("HEAD", Range="bytes=5-"), WHOLE)

    def test_if_range(self) -> None:
        """A range is sent only of the file that If-Range names; of another the whole is sent, even where the range is outside of it."""
        self.assertEqual(decided(Range="bytes=5-", If_Range=ETAG), Decision(206, ByteRange(5, 99)))
        self.assertEqual(decided(Range="bytes=5-", If_Range=DATE), Decision(206, ByteRange(5, 99)))
        self.assertEqual(decided(Range="bytes=5-", If_Range=EARLIER), WHOLE)
        self.assertEqual(decided(Range="bytes=100-", If_Range='"other"'), WHOLE)

    def test_if_range_alone(self) -> None:
        """If-Range without a Range means nothing."""
        self.assertEqual(decided(If_Range='"other"'), WHOLE)

    @given(st.sampled_from(("GET", "HEAD")), st.dictionaries(st.sampled_from(NAMES), st.text()), st.integers(0, 1000))
    def test_whatever_stands_in_headers(self, method: str, headers: dict[str, str], size: int) -> None:
        """Whatever a client writes into its headers, one of the four answers is decided, and a range lies within the file."""
        decision = decide(method, headers.get, size, MODIFIED, ETAG)
        self.assertIn(decision.status, (200, 206, 304, 416))
        self.assertEqual(decision.status == 206, decision.range is not None)
