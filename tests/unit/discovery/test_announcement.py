"""Tests for `pacserve.discovery.announcement`."""

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.announcement import DATAGRAM_LIMIT, Announcement, Kind, concerns, decode, encode
from pacserve.errors import RemoteProtocolError
from pacserve.packages.names import architecture

INSTANCE = "5f0c6b1e9a7d4c2281b0c0de5eed1234"
HERE = Announcement(Kind.HERE, INSTANCE, 15678, 7, ("x86_64",))
WIRE = b'{"pacserve":1,"kind":"here","instance":"5f0c6b1e9a7d4c2281b0c0de5eed1234","port":15678,"generation":7,"arch":["x86_64"]}'

ANNOUNCEMENTS = st.builds(
    Announcement,
    st.sampled_from(Kind),
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    st.integers(1024, 65535),
    st.integers(0, 1 << 63),
    st.lists(st.from_regex(r"[a-z0-9_]{1,32}", fullmatch=True), max_size=16).map(tuple),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=10,
)
FIELDS = ("pacserve", "kind", "instance", "port", "generation", "arch")


def document(**fields: Any) -> dict[str, Any]:
    """A datagram that is well but for the fields given."""
    return {"pacserve": 1, "kind": "here", "instance": INSTANCE, "port": 15678, "generation": 7, "arch": ["x86_64"], **fields}


def decoded(**fields: Any) -> Announcement | None:
    """The same, read."""
    return decode(json.dumps(document(**fields)).encode())


class RoundTripTests(SynchronousTestCase):
    @given(ANNOUNCEMENTS)
    @example(Announcement(Kind.HELLO, "f" * 32, 65535, 1 << 63, ("x" * 32,) * 16))
    def test_round_trip(self, announcement: Announcement) -> None:
        """Whatever one pacserver announces, another reads, and it is never longer than a datagram may be."""
        payload = encode(announcement)
        self.assertEqual(decode(payload), announcement)
        self.assertLessEqual(len(payload), DATAGRAM_LIMIT)

    def test_wire(self) -> None:
        """The fields have the names and the order that the protocol gives them, in some 100 bytes."""
        self.assertEqual(encode(HERE), WIRE)
        self.assertLess(len(WIRE), 128)

    def test_kinds(self) -> None:
        """Each of the three kinds is read as what it is."""
        for kind in Kind:
            self.assertEqual(decoded(kind=kind.value), Announcement(kind, INSTANCE, 15678, 7, ("x86_64",)))

    def test_documented(self) -> None:
        """The examples that the protocol's description gives are what is sent, one of each kind."""
        text = (Path(__file__).parents[3] / "docs/protocol.md").read_bytes()
        examples = re.findall(rb'(?m)^\{"pacserve":.*$', text)
        read = [decode(payload) for payload in examples]
        self.assertEqual([announcement and announcement.kind for announcement in read], list(Kind))
        self.assertEqual([announcement and encode(announcement) for announcement in read], examples)

    def test_content(self) -> None:
        """A host with content says so in a field that earlier versions ignore, and one without sends what they sent."""
        for content in (True, False):
            announcement = Announcement(Kind.HERE, INSTANCE, 15678, 7, ("x86_64",), content)
            self.assertEqual(decode(encode(announcement)), announcement)
            self.assertEqual(json.loads(encode(announcement)), {**document(), **({"content": True} if content else {})})
        odd: tuple[Any, ...] = (1, "true", None, [], False)
        for value in odd:
            self.assertEqual(decoded(content=value), decoded())

    def test_concerns(self) -> None:
        """A host matters to another that shares an architecture, or where both share content, or have nothing else to share."""
        for arch, content, own, ours, expected in (
            (("x86_64",), False, ("aarch64", "x86_64"), False, True),
            (("x86_64",), True, ("aarch64",), False, False),
            (("x86_64",), True, ("aarch64",), True, True),
            (("x86_64",), True, (), False, True),
            (("x86_64",), False, (), True, False),
            ((), False, (), False, True),
            ((), True, ("x86_64",), False, False),
            ((), False, ("x86_64",), True, True),
        ):
            announcement = Announcement(Kind.HERE, INSTANCE, 15678, 7, arch, content)
            self.assertIs(concerns(announcement, own, content=ours), expected, (arch, content, own, ours))


class DecodeTests(SynchronousTestCase):
    def refused(self, payload: bytes, words: str = "") -> None:
        """The datagram is refused, in one short line."""
        error = self.assertRaises(RemoteProtocolError, decode, payload)
        self.assertTrue(str(error).startswith("announcement"), error)
        self.assertIn(words, str(error))
        self.assertLess(len(str(error)), 120)
        self.assertEqual(len(str(error).splitlines()), 1)

    def check(self, payload: bytes) -> None:
        """The datagram is refused, ignored, or what is read of it is within all bounds."""
        try:
            read = decode(payload)
        except RemoteProtocolError:
            return
        if read is None:
            return
        self.assertIs(type(read.kind), Kind)
        self.assertRegex(read.instance, r"\A[0-9a-f]{32}\Z")
        self.assertTrue(type(read.port) is int and 1024 <= read.port <= 65535)
        self.assertTrue(type(read.generation) is int and 0 <= read.generation <= 1 << 63)
        self.assertTrue(len(read.architectures) <= 16 and all(type(name) is str and architecture(name) for name in read.architectures))

    @given(st.binary(max_size=1500))
    def test_any_bytes(self, payload: bytes) -> None:
        """No bytes whatever raise anything but RemoteProtocolError."""
        self.check(payload)

    @given(JSON)
    def test_any_json(self, value: Any) -> None:
        """No JSON whatever raises anything but RemoteProtocolError."""
        self.check(json.dumps(value).encode())

    @given(st.sampled_from((*FIELDS, "other")), JSON)
    @example("kind", ["here"])
    @example("kind", "\ud800")
    @example("instance", "\ud800" * 32)
    @example("port", True)
    def test_one_field_wrong(self, field: str, value: Any) -> None:
        """Whatever one field holds, the result is within all bounds."""
        self.check(json.dumps(document(**{field: value})).encode())

    @given(st.binary(min_size=1, max_size=8), st.integers(0, len(WIRE)))
    def test_damaged(self, noise: bytes, at: int) -> None:
        """A datagram that is damaged anywhere is refused or read within all bounds."""
        self.check(WIRE[:at] + noise + WIRE[at + len(noise) :])

    def test_truncated(self) -> None:
        """A datagram that lacks any part of its end is refused."""
        for length in range(len(WIRE)):
            self.refused(WIRE[:length])

    def test_other_json(self) -> None:
        """Only an object is an announcement."""
        for payload in (b"[]", b"null", b"1", b'"here"', b"true", b"NaN"):
            self.refused(payload, "object")

    def test_unknown_fields(self) -> None:
        """Fields to come are ignored, and a later version is read as long as the known fields stand."""
        self.assertEqual(decoded(pacserve=2, swarm={"a": [1.5, None, float("nan")]}, protocol="x"), HERE)
        self.assertEqual(decoded(pacserve=1 << 31), HERE)

    def test_unknown_kinds(self) -> None:
        """A kind to come is ignored, whatever its other fields are; only its version must be one."""
        for kind in ("ask", "", "HERE", "here ", "x" * 500):
            self.assertIsNone(decoded(kind=kind))
        self.assertIsNone(decode(b'{"pacserve":2,"kind":"ask"}'))
        self.refused(b'{"kind":"ask"}', "pacserve")
        self.refused(b'{"pacserve":0,"kind":"ask"}', "pacserve")

    def test_missing_fields(self) -> None:
        """Every field must be there."""
        for field in FIELDS:
            value = document()
            del value[field]
            self.refused(json.dumps(value).encode(), field)

    def test_types(self) -> None:
        """Booleans and floats are no integers, and nothing else is, either."""
        values: tuple[Any, ...] = (True, False, 1.0, 15678.0, "15678", None, [15678], {}, float("nan"), float("inf"))
        for value in values:
            for field in ("pacserve", "port", "generation"):
                self.refused(json.dumps(document(**{field: value})).encode(), field)
        for value in (True, 1, None, ["here"], {"here": 1}):
            self.refused(json.dumps(document(kind=value)).encode(), "kind")

    def test_numbers(self) -> None:
        """Numbers have bounds."""
        for field, good, bad in (
            ("pacserve", (1, 2**31), (0, -1, 2**31 + 1, 10**800)),
            ("port", (1024, 65535), (0, -1, 80, 1023, 65536, 10**800)),
            ("generation", (0, 2**63), (-1, 2**63 + 1, 10**800)),
        ):
            for number in good:
                self.assertIsNotNone(decoded(**{field: number}))
            for number in bad:
                self.refused(json.dumps(document(**{field: number})).encode(), field)

    def test_instances(self) -> None:
        """An instance id is 32 lower-case hexadecimal digits and nothing else."""
        for value in ("", INSTANCE[:-1], INSTANCE + "0", INSTANCE.upper(), INSTANCE + "\n", "g" * 32, "\u0661" * 32, 5):
            self.refused(json.dumps(document(instance=value)).encode(), "instance")

    def test_architectures(self) -> None:
        """At most 16 architectures, each by its grammar; none at all is allowed."""
        for good in ([], ["x86_64"] * 16, ["a" * 32]):
            read = decoded(arch=good)
            assert read is not None
            self.assertEqual(read.architectures, tuple(good))
        for value in (["x86_64"] * 17, "x86_64", [5], [None], ["../x"], ["a" * 33], [""], {"x86_64": 1}, [["x86_64"]]):
            self.refused(json.dumps(document(arch=value)).encode(), "arch")

    def test_longest(self) -> None:
        """A datagram of 1,024 bytes is read, one byte more is refused before it is parsed."""
        self.assertEqual(decode(WIRE.ljust(DATAGRAM_LIMIT)), HERE)
        self.refused(WIRE.ljust(DATAGRAM_LIMIT + 1), "1,024 bytes")
        self.refused(b"[" * 65507, "1,024 bytes")

    def test_deep(self) -> None:
        """Deep nesting ends in an error, not in a crash."""
        for payload in (b"[" * DATAGRAM_LIMIT, b"[" * 512 + b"]" * 512, b'{"a":' * 200 + b"1" + b"}" * 24):
            self.refused(payload)

    def test_twice(self) -> None:
        """Of a field that comes twice, the last counts, and it must be well."""
        self.assertEqual(decode(b'{"port":1,' + WIRE[1:]), HERE)
        self.refused(WIRE[:-1] + b',"port":1}', "port")
