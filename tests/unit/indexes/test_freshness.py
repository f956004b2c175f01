"""Tests for `pacserve.indexes.freshness`."""

from dataclasses import asdict, dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.answers import AnswerHead
from pacserve.http.validators import CLOCK_TOLERANCE, EARLIEST, format_date
from pacserve.indexes.freshness import Copy, Known, Verdict, conditions, copy_from, etag_of, judge

NOW = 1_800_000_000
SIZE_LIMIT = 1 << 20
COPY = Copy("core", "x86_64", "core.db", "0123456789abcdef", 5000, "ab" * 32, "mirror http://a", NOW - 1000, '"e"')


@dataclass
class Answer(AnswerHead):
    """A head."""

    status: int = 200
    length: int | None = 5000
    headers: dict[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


def dated(seconds: int, status: int = 200, length: int | None = 5000, **headers: str) -> Answer:
    """An answer with a Last-Modified."""
    return Answer(status, length, {"Last-Modified": format_date(seconds), **headers})


def judged(answer: Answer, mirror: str = "mirror http://b", copy: Copy | None = COPY) -> Verdict:
    """Returns the worth of an answer to a host that has the copy."""
    return judge(answer, mirror, Known(copy, None if copy is None else copy.modified, SIZE_LIMIT), NOW)


class JudgeTests(SynchronousTestCase):
    def test_by_status(self) -> None:
        """A refusal of one file is a no; what is neither that nor a file is a failure, and so is a 304 that nobody asked for."""
        for status in (401, 403, 404, 410):
            self.assertEqual(judged(Answer(status)), Verdict.ABSENT)
        for status in (503, 206, 429):
            self.assertEqual(judged(Answer(status)), Verdict.FAILED)
        self.assertEqual(judged(Answer(304), copy=None), Verdict.FAILED)

    def test_by_date(self) -> None:
        """A later file is new, an earlier one is older; one of the same time is the same where its length is, too."""
        for answer, verdict in (
            (dated(NOW - 999), Verdict.NEW),
            (dated(NOW - 1001), Verdict.OLDER),
            (dated(NOW - 1000), Verdict.SAME),
            (dated(NOW - 1000, length=4999), Verdict.NEW),
            (dated(NOW - 1000, length=None), Verdict.NEW),
        ):
            self.assertEqual(judged(answer), verdict)
            self.assertEqual(judged(answer, copy=None), Verdict.NEW)

    def test_unbelievable_dates(self) -> None:
        """A date that can't be, or can't be read, is as none: only the mirror of the copy is believed then."""
        before = EARLIEST - 1
        for headers in ({"Last-Modified": format_date(NOW + 90_000)}, {"Last-Modified": format_date(before)}, {"Last-Modified": "yesterday"}, {}):
            self.assertEqual(judged(Answer(headers=headers)), Verdict.UNDATED)
            self.assertEqual(judged(Answer(headers=headers), COPY.mirror), Verdict.NEW)
            self.assertEqual(judged(Answer(headers=headers), copy=replace(COPY, modified=None)), Verdict.NEW)

    def test_not_modified(self) -> None:
        """A 304 confirms the copy when it names it; one that names nothing only from the mirror that the copy is of."""
        for answer, mirror, verdict in (
            (dated(NOW - 1000, 304), "b", Verdict.SAME),
            (dated(NOW - 2000, 304), "b", Verdict.OLDER),
            (dated(NOW - 2000, 304), COPY.mirror, Verdict.OLDER),
            (Answer(304, None, {"ETag": '"e"'}), "b", Verdict.SAME),
            (Answer(304, None, {"ETag": '"f"'}), "b", Verdict.OLDER),
            (Answer(304, None), "b", Verdict.OLDER),
            (dated(1, 304), "b", Verdict.UNDATED),
            (dated(1, 304), COPY.mirror, Verdict.SAME),
            (Answer(304, None), COPY.mirror, Verdict.SAME),
        ):
            self.assertEqual(judged(answer, mirror), verdict)

    def test_before_the_newest_package(self) -> None:
        """The mirror of the copy states a date that can't be; another one that states it has an older file."""
        copy = replace(COPY, modified=None, built=NOW - 1000)
        for mirror, verdict in ((COPY.mirror, Verdict.NEW), ("mirror http://b", Verdict.OLDER)):
            answer = dated(NOW - 1000 - CLOCK_TOLERANCE - 1)
            self.assertEqual(judge(answer, mirror, Known(copy, copy.newest, SIZE_LIMIT), NOW), verdict)
        self.assertEqual((copy.newest, COPY.newest, replace(copy, built=None).newest), (NOW - 1000 - CLOCK_TOLERANCE, NOW - 1000, None))

    def test_forced(self) -> None:
        """For a client that forces the file nothing but the entity tag of its own mirror shows that it is the same."""
        for mirror, etag, verdict in (("b", '"e"', Verdict.NEW), (COPY.mirror, '"f"', Verdict.NEW), (COPY.mirror, '"e"', Verdict.SAME)):
            answer = dated(NOW - 1000, ETag=etag)
            self.assertEqual(judge(answer, mirror, Known(COPY, COPY.modified, SIZE_LIMIT, forced=True), NOW), verdict)

    def test_entity_tag_of_an_impossible_date(self) -> None:
        """An entity tag beside a date that can't be says nothing."""
        self.assertEqual([etag_of(dated(moment, ETag='"e"'), NOW) for moment in (1, NOW)], ["", '"e"'])
        self.assertEqual(etag_of(Answer(headers={"ETag": '"e"'}), NOW), '"e"')

    def test_limit(self) -> None:
        """An answer that states more bytes than are taken is a failure."""
        self.assertEqual(judged(dated(NOW, length=SIZE_LIMIT)), Verdict.NEW)
        self.assertEqual(judged(dated(NOW, length=SIZE_LIMIT + 1)), Verdict.FAILED)

    def test_conditions(self) -> None:
        """Nothing is compared with what is not there."""
        self.assertEqual(conditions(None, "a"), {})
        self.assertEqual(conditions(replace(COPY, modified=None, etag=""), COPY.mirror), {})
        self.assertEqual(conditions(COPY, COPY.mirror, forced=True), {"If-None-Match": '"e"'})
        self.assertEqual(conditions(COPY, "b", forced=True), {})
        self.assertEqual(conditions(COPY, COPY.mirror), {"If-Modified-Since": format_date(NOW - 1000), "If-None-Match": '"e"'})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


class RecordTests(SynchronousTestCase):
    def test_read_again(self) -> None:
        """A record is read as it was written."""
        for copy in (COPY, replace(COPY, modified=None, etag="", belongs="cd" * 32, unsigned=True, built=NOW)):
            self.assertEqual(copy_from(asdict(copy), SIZE_LIMIT), copy)
        earlier = asdict(COPY)
        del earlier["built"]
        self.assertEqual(copy_from(earlier, SIZE_LIMIT), COPY)

    @given(JSON)
    def test_anything(self, fields: object) -> None:
        """A record of another form is no copy."""
        self.assertIsNone(copy_from(fields, SIZE_LIMIT))

    @given(st.sampled_from(sorted(asdict(COPY))), JSON)
    def test_one_field(self, name: str, value: object) -> None:
        """One field that is not of its form spoils the copy; what is accepted can be neither a path nor end a header."""
        copy = copy_from({**asdict(COPY), name: value}, SIZE_LIMIT)
        if copy is not None:
            self.assertRegex(copy.data, r"\A[0-9a-f]{16}\Z")
            self.assertRegex(copy.etag, r'\A("[!-~]*")?\Z')
            self.assertTrue(0 <= copy.size <= SIZE_LIMIT)
            self.assertTrue(copy.modified is None or 0 <= copy.modified < 1 << 40)

    def test_hostile_fields(self) -> None:
        """Values that would do harm are refused."""
        for name, value in (
            ("data", "../../../etc/pwd"),
            ("data", "0123456789abcdef\n"),
            ("size", -1),
            ("size", True),
            ("size", SIZE_LIMIT + 1),
            ("sha256", ""),
            ("modified", -1),
            ("modified", 10**20),
            ("modified", 1.5),
            ("etag", '"a"\r\nHost: b'),
            ("etag", 'W/"a"'),
            ("belongs", "x"),
            ("mirror", "m" * 2000),
            ("unsigned", 1),
            ("built", -1),
            ("built", "1"),
        ):
            self.assertIsNone(copy_from({**asdict(COPY), name: value}, SIZE_LIMIT), (name, value))
        self.assertIsNone(copy_from({**asdict(COPY), "more": 1}, SIZE_LIMIT))
