"""Tests for `pacserve.report.status_json`."""

import dataclasses
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.report.status import Record, Status, TransferStatus
from pacserve.report.status_json import decode, encode
from pacserve.report.why import Reason, Why
from tests.fakes import statuses

STATUS: Any = st.from_type(Status)
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([field.name for field in dataclasses.fields(Status)]) | st.text(), inner),
)


class StatusTests(SynchronousTestCase):
    @given(STATUS)
    def test_there_and_back(self, status: Status) -> None:
        """What is told is understood."""
        text = encode(status)
        if b"NaN" not in text:  # never told, and equal to nothing
            self.assertEqual(decode(text, Status), status)

    @given(JSON)
    def test_anything(self, document: Any) -> None:
        """Whatever another program answers is a status, or a ValueError."""
        try:
            decode(json.dumps(document).encode(), Status)
        except ValueError:
            return

    @given(st.binary())
    def test_no_json(self, text: bytes) -> None:
        """Nor does what is no JSON do any harm."""
        self.assertRaises(ValueError, decode, text, Status)

    def test_later_version(self) -> None:
        """A field that this version does not know is left out; one that is missing is named."""
        why = Why("core", "a", 5, (Reason("cache", "used", "here"),), (Record(1.0, "::1", "/x", 200, "cache", None, 0.5, False, True),))
        document = json.loads(encode(why))
        document["candidates"][0]["colour"] = "red"
        self.assertEqual(decode(json.dumps(document).encode(), Why), why)
        del document["candidates"][0]["who"]
        self.assertIn("who", str(self.assertRaises(ValueError, decode, json.dumps(document).encode(), Why)))

    def test_earlier_version(self) -> None:
        """Of a daemon from before a field was added the field has its default."""
        transfer = TransferStatus("a", "core", "mirror http://a", 5, None, 1.0, True)
        status = statuses.status(statuses.peer(), transfers=(transfer,))
        document = json.loads(encode(status))
        del document["peers"][0]["host_name"], document["folders"], document["transfers"][0]["shares"]
        self.assertEqual(decode(json.dumps(document).encode(), Status), status)

    def test_types(self) -> None:
        """A number is no text, and a truth no number."""
        why = json.loads(encode(Why("core", "a", 5, (), ())))
        for field, value in (("name", 5), ("size", "5"), ("size", True), ("candidates", {}), ("candidates", [5])):
            self.assertRaises(ValueError, decode, json.dumps({**why, field: value}).encode(), Why)
