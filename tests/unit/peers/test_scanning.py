"""Tests for `pacserve.peers.scanning`."""

import gzip
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RemoteProtocolError
from pacserve.peers import scanning
from pacserve.peers.scanning import LargeField, Scanner, Text

NUMBERS = st.integers(-(10**20), 10**20)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
ENTRIES = st.dictionaries(st.text(max_size=8), NUMBERS | VALUES, max_size=40) | st.lists(st.text(max_size=8) | VALUES, max_size=40)
DOCUMENTS = st.fixed_dictionaries({}, optional={"small": VALUES, "first": ENTRIES | VALUES, "other": ENTRIES | VALUES, "second": ENTRIES})


class Collecting(LargeField):
    """
    Collects the entries of a field.

    Attributes:
        value: All entries; the opening where there were none to take.
    """

    def __init__(self) -> None:
        self.value: Any = None

    def begin(self, opening: str) -> None:
        self.value = {"{": {}, "[": []}.get(opening, opening)

    def take(self, entries: Any) -> None:
        if isinstance(self.value, dict):
            self.value.update(entries)
        else:
            self.value += entries


def scanned(body: bytes, encoding: str | None = None) -> dict[str, Any]:
    """What is read of a body: the large fields, and the small one."""
    first, second = Collecting(), Collecting()
    steps = Scanner(Text(body, encoding, 1 << 20, "it"), ("small",), {"first": first, "second": second}, 10_000).steps()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return {**end.value, "first": first.value, "second": second.value}


class ScannerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(scanning, "PIECE", 1000)  # so that texts of tests have many

    def check(self, text: bytes, encoding: str | None = None) -> None:
        """What is read is what json.loads reads."""
        expected = json.loads(text if encoding is None else gzip.decompress(text))
        found = scanned(text, encoding)
        for name in ("first", "second"):
            value = expected.get(name)
            if isinstance(value, dict | list):
                self.assertEqual((found[name], list(found[name])), (value, list(value)))
            else:
                self.assertEqual(isinstance(found[name], str), name in expected)
        self.assertEqual(found.get("small"), expected.get("small"))

    @given(DOCUMENTS, st.sampled_from((None, 0, 1)), st.sampled_from(((",", ":"), (", ", ": "), (" ,\t", " :\r\n"))), st.booleans())
    def test_as_json(self, document: dict[str, Any], indent: int | None, separators: tuple[str, str], plain: bool) -> None:
        """Whatever a text holds, and however it is spaced, escaped and packed, it is read as json.loads reads it."""
        text = json.dumps(document, indent=indent, separators=separators, ensure_ascii=plain).encode("utf-8", "surrogatepass")
        self.check(text)
        self.check(gzip.compress(text), "gzip")

    @given(DOCUMENTS, st.integers(0, 500), st.sampled_from((b",", b"}", b"]", b'"', b"\\", b"0", b" ", b"")))
    def test_damaged(self, document: dict[str, Any], at: int, noise: bytes) -> None:
        """A damaged text is refused where json.loads refuses it, and read alike where it does not."""
        text = json.dumps(document).encode()
        damaged = text[:at] + noise + text[at + 1 :]
        try:
            read = json.loads(damaged)
        except ValueError:
            self.assertRaises(RemoteProtocolError, scanned, damaged)
            return
        if isinstance(read, dict):
            self.check(damaged)

    def test_twice(self) -> None:
        """Of a field that comes twice the second one counts."""
        text = b'{"first": {"a": 1, "b": 2}, "small": 1, "first": {"c": 3}, "small": 2}'
        self.assertEqual(scanned(text), {"first": {"c": 3}, "second": None, "small": 2})

    def test_no_object(self) -> None:
        """What is no object is refused as such, and what is no JSON as that."""
        for text, words in ((b"[]", "no JSON object"), (b"5", "no JSON object"), (b"[] 5", "not JSON"), (b"", "not JSON"), (b'{"a":1,}', "not JSON")):
            self.assertIn(words, str(self.assertRaises(RemoteProtocolError, scanned, text)))

    def test_many(self) -> None:
        """Entries that come in the usual form and others among them are all read, in their order."""
        names: list[Any] = [f"name-{number}" for number in range(2000)]
        names[700:703] = [5, "\\", None]
        self.check(json.dumps({"first": names, "second": dict.fromkeys(map(str, names), 7)}).encode())

    def test_most(self) -> None:
        """More entries than that are refused, in whichever fields and forms they come, also in those that are read over."""
        for text in (b'{"first":[%b0]}' % (b"0," * 10_000), b'{"other":{%b"b":0}}' % (b'"a":0,' * 10_000), b'{%b"b":0}' % (b'"a":0,' * 10_000)):
            self.assertIn("10,000", str(self.assertRaises(RemoteProtocolError, scanned, text)))
