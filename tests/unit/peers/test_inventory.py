"""Tests for `pacserve.peers.inventory`."""

import contextlib
import gzip
import itertools
import json
import tracemalloc
import zlib
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RemoteProtocolError
from pacserve.packages.names import architecture, is_content, is_early, parse_content_name, shared_file
from pacserve.peers.inventory import CHARACTERS_PER_NAME, NAMES_LIMIT, UNPACKED_LIMIT, PeerInfo, Reading, decode, encode, pack
from pacserve.peers.scanning import PIECE
from tests.fakes import early_inventory

INSTANCE = "0123456789abcdef" * 2
NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
CARET = "zlib-1.3^rc1-2-x86_64.pkg.tar.zst"
BLOB = f"zlib1g_1.2.13-1_amd64@{'3a' * 32}.blob"

PACKAGES = st.builds(
    "{}-{}{}-{}-{}.pkg.tar{}{}".format,
    st.from_regex(r"[a-zA-Z0-9@_+][a-zA-Z0-9@._+-]{0,20}", fullmatch=True),
    st.sampled_from(("", "1:", "42:")),
    st.from_regex(r"[a-zA-Z0-9._+~]{1,20}", fullmatch=True),
    st.integers(0, 99),
    st.sampled_from(("x86_64", "any", "armv7h")),
    st.sampled_from((".zst", ".xz", ".gz", "")),
    st.sampled_from(("", ".sig")),
)
CONTENT = st.from_regex(r"[A-Za-z0-9_+][A-Za-z0-9._+~-]{0,20}@[0-9a-f]{64}\.blob", fullmatch=True)
# Names that versions before them did not have.
FURTHER = st.builds("zlib-1{}{}-1-any.pkg.tar.zst".format, st.sampled_from("^!,=(;#"), st.integers(0, 99))
NAMES = PACKAGES | CONTENT | FURTHER
SIZES = st.integers(1, 1 << 40)
INFOS = st.builds(
    PeerInfo,
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    st.integers(0, 1 << 63),
    st.lists(st.sampled_from(("x86_64", "x86_64_v3", "aarch64")), max_size=16).map(tuple),
    st.dictionaries(NAMES, SIZES, max_size=8),
    name=st.sampled_from(("", "nas", "h_1.lan")),
    shares_content=st.booleans(),
)


def _place(name: str) -> int:
    return 0 if is_early(name) else 1 if is_content(name) else 2


@st.composite
def deltas(draw: st.DrawFn) -> PeerInfo:
    """What a pacserver may say of changes."""
    whole = draw(INFOS)
    removed = sorted(draw(st.lists(NAMES, max_size=8)), key=_place)  # as they are read: what has a field of its own comes last
    return replace(whole, since=draw(st.integers(0, whole.generation)), removed=tuple(name for name in removed if name not in whole.files))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | NAMES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10) | NAMES, inner, max_size=5),
    max_leaves=20,
)


def document(**fields: Any) -> dict[str, Any]:
    """An /info that is well but for the fields given."""
    return {"protocol": 1, "instance": INSTANCE, "generation": 7, "arch": ["x86_64"], "files": {NAME: 95872}, **fields}


def decoded(**fields: Any) -> PeerInfo:
    """The same, read."""
    return decode(json.dumps(document(**fields)).encode())


class RoundTripTests(SynchronousTestCase):
    @given(INFOS | deltas())
    def test_round_trip(self, info: PeerInfo) -> None:
        """Whatever one pacserver says of itself, another reads, plain and packed."""
        text = encode(info)
        self.assertEqual(decode(text), info)
        self.assertIs(decode(text).shares_content, info.shares_content or bool(info.content))
        self.assertEqual(decode(pack(text), "gzip"), info)

    def test_pack_is_stable(self) -> None:
        """The same text is packed into the same bytes at any time."""
        self.assertEqual(pack(b"text"), pack(b"text"))
        self.assertEqual(pack(b"text")[4:8], b"\0\0\0\0")

    def test_wire(self) -> None:
        """The fields have the names that the protocol gives them."""
        self.assertEqual(json.loads(encode(PeerInfo(INSTANCE, 7, ("x86_64",), {NAME: 95872}))), document())
        self.assertEqual(json.loads(encode(PeerInfo(INSTANCE, 7, (), {BLOB: 5, NAME: 95872}))), document(arch=[], content={BLOB: 5}))
        self.assertEqual(json.loads(encode(PeerInfo(INSTANCE, 7, ("x86_64",), {NAME: 95872}, name="nas"))), document(name="nas"))
        self.assertEqual(json.loads(encode(PeerInfo(INSTANCE, 7, (), {NAME: 95872}, shares_content=True))), document(arch=[], content={}))
        delta = PeerInfo(INSTANCE, 7, ("x86_64",), {NAME: 95872}, 5, (BLOB,))
        self.assertEqual(json.loads(encode(delta)), document(since=5, removed=[], content_removed=[BLOB]))
        delta = PeerInfo(INSTANCE, 7, ("x86_64",), {NAME: 95872}, 5, (NAME + ".sig",))
        self.assertEqual(json.loads(encode(delta)), document(since=5, removed=[NAME + ".sig"]))
        self.assertEqual(json.loads(encode(replace(delta, files={}, since=7, removed=()))), document(files={}, since=7, removed=[]))
        delta = PeerInfo(INSTANCE, 7, ("x86_64",), {NAME: 95872, CARET: 5}, 5, (CARET + ".sig",))
        self.assertEqual(json.loads(encode(delta)), document(since=5, removed=[], further={CARET: 5}, further_removed=[CARET + ".sig"]))


class EarlierVersionTests(SynchronousTestCase):
    """A LAN in which some hosts have the version from before there was content."""

    @given(INFOS | deltas())
    def test_earlier_reader(self, info: PeerInfo) -> None:
        """The earlier reader accepts all that is sent today, and learns everything of pacman's files whose names it takes."""
        seen = early_inventory.decode(encode(info))
        self.assertEqual(
            (seen.instance, seen.generation, seen.architectures, seen.since), (info.instance, info.generation, info.architectures, info.since)
        )
        self.assertEqual(seen.files, {name: size for name, size in info.files.items() if is_early(name)})
        self.assertEqual(seen.removed, tuple(name for name in info.removed if is_early(name)))

    @given(INFOS | deltas())
    def test_earlier_writer(self, info: PeerInfo) -> None:
        """All that the earlier version sends is read as it was meant."""
        sent = replace(
            info,
            files={name: size for name, size in info.files.items() if is_early(name)},
            removed=tuple(name for name in info.removed if is_early(name)),
            name="",
            shares_content=False,
        )
        self.assertEqual(decode(early_inventory.encode(sent)), sent)
        self.assertEqual(early_inventory.encode(sent), encode(sent))

    def test_foreign_names_are_refused(self) -> None:
        """The earlier reader refuses a list with a name of another package system, which is why these have fields of their own."""
        for name in (BLOB, CARET):
            self.assertRaises(RemoteProtocolError, early_inventory.decode, json.dumps(document(files={NAME: 1, name: 1})).encode())
            self.assertRaises(RemoteProtocolError, early_inventory.decode, json.dumps(document(since=5, removed=[name])).encode())

    @given(st.sampled_from(("protocol", "instance", "generation", "arch", "files", "since", "removed", "name", "other")), JSON)
    def test_nothing_accepted_is_refused(self, field: str, value: Any) -> None:
        """Whatever the earlier reader accepts, today's accepts."""
        for fields in (document(**{field: value}), {**document(since=5, removed=[NAME + ".sig"]), field: value}):
            text = json.dumps(fields).encode()
            with contextlib.suppress(RemoteProtocolError):
                seen = early_inventory.decode(text)
                info = decode(text)
                self.assertEqual((info.files, info.removed, info.skipped), (seen.files, seen.removed, 0))


class DecodeTests(SynchronousTestCase):
    def refused(self, text: bytes, words: str = "") -> None:
        """The text is refused, in one short line."""
        error = self.assertRaises(RemoteProtocolError, decode, text)
        self.assertIn(words, str(error))
        self.assertLess(len(str(error)), 120)
        self.assertEqual(len(str(error).splitlines()), 1)

    def skipped(self, count: int, **fields: Any) -> PeerInfo:
        """What is read where so many entries are not understood."""
        info = decoded(**fields)
        self.assertEqual(info.skipped, count)
        return info

    def test_name(self) -> None:
        """A name is taken as it is told; whatever can't be shown as one counts as none, and the rest stands."""
        self.assertEqual(decoded(name="nas.lan").name, "nas.lan")
        for name in (
            None,
            5,
            ["nas"],
            {"nas": 1},
            "",
            "NAS",
            "a b",
            "nas.",
            "<b>",
            "n\n[info] x",
            "\x1b[2J",
            "10.0.0.3",
            "localhost",
            "n" * 65,
            "\u202enas",
        ):
            info = decoded(name=name)
            self.assertEqual((info.name, info.files, info.skipped), ("", {NAME: 95872}, 0), name)

    def check(self, text: bytes) -> None:
        """The text is refused, or what is read of it is within all bounds."""
        try:
            info = decode(text)
        except RemoteProtocolError:
            return
        self.assertRegex(info.instance, r"\A[0-9a-f]{32}\Z")
        self.assertTrue(0 <= info.generation <= 1 << 63)
        self.assertTrue(all(type(name) is str and architecture(name) for name in info.architectures))
        self.assertTrue(all(shared_file(name) is not None for name in info.files))
        self.assertTrue(all(parse_content_name(name) is not None for name in info.content))
        self.assertTrue(type(info.skipped) is int and info.skipped >= 0)
        self.assertTrue(all(type(size) is int and 0 < size <= 1 << 40 for size in info.files.values()))
        if info.since is None:
            self.assertEqual(info.removed, ())
        else:
            self.assertTrue(type(info.since) is int and 0 <= info.since <= info.generation)
        self.assertTrue(all(type(name) is str and shared_file(name) is not None and name not in info.files for name in info.removed))

    @given(st.binary(max_size=300))
    def test_any_bytes(self, text: bytes) -> None:
        """No bytes whatever raise anything but RemoteProtocolError."""
        self.check(text)

    @given(JSON)
    def test_any_json(self, value: Any) -> None:
        """No JSON whatever raises anything but RemoteProtocolError."""
        self.check(json.dumps(value).encode())

    @given(st.sampled_from(("protocol", "instance", "generation", "arch", "files", "content", "other")), JSON)
    @example("content", {BLOB: True, NAME: 5})
    @example("files", {NAME: True})
    @example("arch", ["x86_64"] * 17)
    @example("instance", "\ud800" * 32)
    def test_one_field_wrong(self, field: str, value: Any) -> None:
        """Whatever one field holds, the result is within all bounds."""
        self.check(json.dumps(document(**{field: value})).encode())

    @given(st.sampled_from(("generation", "files", "content", "since", "removed", "content_removed")), JSON | st.lists(JSON, max_size=3))
    @example("since", None)
    @example("since", 8)
    @example("removed", [NAME])
    @example("removed", NAME)
    def test_one_field_of_a_delta_wrong(self, field: str, value: Any) -> None:
        """The same holds for a delta."""
        self.check(json.dumps({**document(since=5, removed=[NAME + ".sig"]), field: value}).encode())

    @given(st.binary(min_size=1, max_size=8), st.integers(0, 200))
    def test_damaged(self, noise: bytes, at: int) -> None:
        """A text that is damaged anywhere is refused or read within all bounds."""
        text = json.dumps(document()).encode()
        self.check(text[:at] + noise + text[at + len(noise) :])

    def test_unknown_fields(self) -> None:
        """Fields to come are ignored, and a later protocol is read as long as the known fields stand."""
        self.assertEqual(decoded(protocol=2, swarm={"a": [1.5, None]}).files, {NAME: 95872})

    def test_missing_fields(self) -> None:
        """Every field must be there."""
        for field in document():
            value = document()
            del value[field]
            self.refused(json.dumps(value).encode(), field)

    def test_types(self) -> None:
        """Booleans and floats are no integers, and nothing else is, either."""
        values: tuple[Any, ...] = (True, False, 1.0, "1", None, [1], {}, float("nan"), float("inf"))
        for value in values:
            for field in ("protocol", "generation"):
                self.refused(json.dumps(document(**{field: value})).encode(), field)
            self.skipped(1, files={NAME: value})
            self.skipped(1, content={BLOB: value})

    def test_numbers(self) -> None:
        """Numbers have bounds."""
        for field, good, bad in (("protocol", (1, 2**31), (0, -1, 2**31 + 1)), ("generation", (0, 2**63), (-1, 2**63 + 1))):
            for number in good:
                decoded(**{field: number})
            for number in bad:
                self.refused(json.dumps(document(**{field: number})).encode(), field)
        for size in (1, 1 << 40):
            self.assertEqual(decoded(files={NAME: size}).files, {NAME: size})
        for size in (0, -1, (1 << 40) + 1, 10**4000):
            self.skipped(1, files={NAME: size})
            self.skipped(1, content={BLOB: size})

    def test_numbers_too_long_to_read(self) -> None:
        """A number of more digits than Python converts is refused."""
        self.refused(b'{"generation":' + b"9" * 5000 + b"}", "not JSON")

    def test_instances(self) -> None:
        """An instance id is 32 lower-case hexadecimal digits and nothing else."""
        for value in ("", INSTANCE[:-1], INSTANCE + "0", INSTANCE.upper(), INSTANCE + "\n", "g" * 32, "\u0661" * 32, 5):
            self.refused(json.dumps(document(instance=value)).encode(), "instance")

    def test_architectures(self) -> None:
        """At most 16 architectures, each by its grammar; none at all is allowed."""
        self.assertEqual(decoded(arch=[]).architectures, ())
        self.assertEqual(len(decoded(arch=["x86_64"] * 16).architectures), 16)
        for value in (["x86_64"] * 17, "x86_64", [5], [None], ["../x"], ["a" * 33], [""], {"x86_64": 1}, [["x86_64"]]):
            self.refused(json.dumps(document(arch=value)).encode(), "arch")

    def test_names(self) -> None:
        """A name outside the grammar is skipped and counted, and the others stand."""
        for name in (
            "",
            ".",
            "..",
            "core.db",
            "../" + NAME,
            "a/" + NAME,
            NAME + ".part",
            "." + NAME,
            NAME + "\n",
            NAME + "\0",
            "x" * 256 + NAME,
            "\ud800" + NAME,
        ):
            self.assertEqual(self.skipped(1, files={NAME: 1, name: 1}).files, {NAME: 1})
            self.assertEqual(self.skipped(1, content={BLOB: 1, name: 1}).content, {BLOB: 1})

    def test_fields_of_their_own(self) -> None:
        """pacman's files and content have a field each, and a name in the field of the other is skipped."""
        info = decoded(content={BLOB: 5})
        self.assertEqual((info.files, info.content, info.skipped), ({NAME: 95872, BLOB: 5}, {BLOB: 5}, 0))
        self.assertEqual(self.skipped(1, files={NAME: 1, BLOB: 1}).files, {NAME: 1})
        self.assertEqual(self.skipped(1, content={BLOB: 1, NAME + ".sig": 1}).files, {NAME: 95872, BLOB: 1})
        self.assertEqual(self.skipped(2, since=7, removed=[BLOB], content_removed=[NAME + ".sig"]).removed, ())
        self.assertEqual(decoded(since=7, removed=[NAME + ".sig"], content_removed=[BLOB]).removed, (NAME + ".sig", BLOB))

        self.assertEqual(decoded(further={CARET: 5}, since=7, removed=[], further_removed=[NAME + ".sig"]).files, {NAME: 95872, CARET: 5})
        self.assertEqual(self.skipped(1, further={BLOB: 5, CARET: 5}).files, {NAME: 95872, CARET: 5})

    def test_later_fields(self) -> None:
        """The fields of content and of further names are objects and lists like those of pacman's files, and may be missing."""
        for field, name in (("content", BLOB), ("further", CARET)):
            wrong: tuple[Any, ...] = (None, name, 5)
            for value in (*wrong, [name]):
                self.refused(json.dumps(document(**{field: value})).encode(), field)
            for value in (*wrong, {name: 5}):
                self.refused(json.dumps(document(since=7, removed=[], **{f"{field}_removed": value})).encode(), f"{field}_removed")
            self.refused(json.dumps(document(**{f"{field}_removed": []})).encode(), "removed")
            self.refused(json.dumps(document(since=7, removed=[], **{field: {name: 5}, f"{field}_removed": [name]})).encode(), "remove")

    def test_delta(self) -> None:
        """A delta leads on from a generation up to its own, and removes what it does not list."""
        for since in (0, 6, 7):
            info = decoded(since=since, removed=[NAME + ".sig"])
            self.assertEqual((info.since, info.generation, info.files, info.removed), (since, 7, {NAME: 95872}, (NAME + ".sig",)))
        self.assertEqual(decoded(since=7, removed=[], files={}).removed, ())

    def test_no_delta(self) -> None:
        """A delta from a later generation or from none, one that lists what it removes, and half of one are refused."""
        for since in (8, -1, True, 7.0, "7", None, [7], 2**63 + 1):
            self.refused(json.dumps(document(since=since, removed=[])).encode(), "since")
        for name in (5, None, [NAME], {NAME: 1}, "core.db", "../" + NAME, NAME + "\n"):
            self.assertEqual(self.skipped(1, since=7, removed=[NAME + ".sig", name]).removed, (NAME + ".sig",))
        for removed in (None, NAME, {NAME: 1}, 5, [NAME]):
            self.refused(json.dumps(document(since=7, removed=removed)).encode(), "remove")
        self.refused(json.dumps(document(since=7)).encode(), "removed")
        self.refused(json.dumps(document(removed=[])).encode(), "removed")

    def test_most_names_of_a_delta(self) -> None:
        """A delta adds and removes 100,000 names together, and one more is refused."""
        names = [f"p{number}-1-1-any.pkg.tar.zst" for number in range(NAMES_LIMIT)]
        self.assertEqual(len(decoded(since=1, removed=names[1:]).removed), NAMES_LIMIT - 1)
        self.refused(json.dumps(document(since=1, removed=names)).encode(), "100,000")
        self.refused(json.dumps(document(since=1, removed=names[1:], content_removed=[BLOB])).encode(), "100,000")
        self.refused(json.dumps(document(since=1, removed=[""] * NAMES_LIMIT)).encode(), "100,000")

    def test_most_names(self) -> None:
        """100,000 names are read, one more is refused."""
        files = {f"p{number}-1-1-any.pkg.tar.zst": 1 for number in range(NAMES_LIMIT)}
        self.assertEqual(len(decoded(files=files).files), NAMES_LIMIT)
        for more in ({"files": {**files, NAME: 1}}, {"files": {**files, "": 1}}, {"files": files, "content": {BLOB: 1}}):
            self.refused(json.dumps(document(**more)).encode(), "100,000")

    def test_most_text(self) -> None:
        """A text of the limit is read, one byte more is refused."""
        text = json.dumps(document()).encode()
        decode(text.ljust(UNPACKED_LIMIT))
        self.refused(text.ljust(UNPACKED_LIMIT + 1), "8 MiB")

    def test_most_kept(self) -> None:
        """A reader that keeps fewer names keeps the first of each field, and what is beyond is no mistake."""
        files = {f"p{number}-1-1-any.pkg.tar.zst": 1 for number in range(1000)}
        steps = Reading(json.dumps(document(files=files, since=1, removed=[NAME, NAME + ".sig"])).encode(), None, 600).steps()
        info = finished(steps)
        self.assertEqual((list(info.files), info.removed, info.skipped), (list(files)[:600], (NAME, NAME + ".sig"), 0))

    def test_long_names(self) -> None:
        """Of names that are very long fewer are kept, and there as well what is beyond is no mistake."""
        files = {f"p{number}-{'x' * 200}-1-1-any.pkg.tar.zst": 1 for number in range(10_000)}
        info = finished(Reading(json.dumps(document(files=files)).encode(), None, 10_000).steps())
        self.assertEqual((list(info.files), info.skipped), (list(files)[: len(info.files)], 0))
        self.assertTrue(10_000 * CHARACTERS_PER_NAME <= sum(map(len, info.files)) < 10_000 * CHARACTERS_PER_NAME + 100_000)

    @pytest.mark.slow
    def test_most_values(self) -> None:
        """A text that would grow in memory is refused before it does: many containers, many values, in known fields and others."""
        for field in ("files", "swarm"):
            for item in (b"[],", b"{},", b"0,", b"[[],[]],"):
                text = b'{"%s":[' % field.encode() + item * 60_000 + b"[]]}"
                tracemalloc.start()
                try:
                    self.refused(text[:UNPACKED_LIMIT])
                    self.assertLess(tracemalloc.get_traced_memory()[1], 4 << 20)
                finally:
                    tracemalloc.stop()

    def test_long_value(self) -> None:
        """A value that takes long to read is refused: one within a field may have 64 KiB."""
        most = 2 * PIECE
        for value in (["x" * most], {"a": [0] * most}, {"a" * most: 1}):
            self.refused(json.dumps(document(swarm=value)).encode(), "not JSON")
            self.refused(json.dumps(document(swarm=value, more=[0] * most)).encode(), "not JSON")
        self.refused(json.dumps(document(arch=["x86_64"] * PIECE)).encode(), "not JSON")

    def test_steps(self) -> None:
        """A long list is read in many steps, and none of them takes many names."""
        text = json.dumps(document(files={f"p{number}-1-1-any.pkg.tar.zst": 1 for number in range(20_000)})).encode()
        for body, encoding in ((text, None), (pack(text), "gzip")):
            reading = Reading(body, encoding)
            sizes = [reading.size for _ in reading.steps()]
            self.assertGreater(len(sizes), 50)
            self.assertLess(max(after - before for before, after in itertools.pairwise(sizes)), 2 * PIECE + 1)
            self.assertLess(len(text), 20_000 * CHARACTERS_PER_NAME)
            self.assertEqual(reading.size, 20_000 * CHARACTERS_PER_NAME)  # short ones count as usual ones

    def test_deep(self) -> None:
        """Deep nesting ends in an error, not in a crash."""
        for opening in (b"[", b'{"a":'):
            self.refused(opening * 100_000, "not JSON")
            self.refused(b'{"files":' + opening * 100_000, "not JSON")

    def test_encodings(self) -> None:
        """UTF-16 and UTF-32 count as what they are read as, and their bounds hold."""
        for encoding in ("utf-16", "utf-32", "utf-16-le"):
            self.assertEqual(decode(json.dumps(document()).encode(encoding)).files, {NAME: 95872})
            self.refused(("[" + "[]," * 200_000 + "[]]").encode(encoding), "not JSON")
        self.refused(b'{"instance": "\xff\xfe"}', "not JSON")

    def test_twice(self) -> None:
        """A name that comes twice counts once."""
        text = json.dumps(document()).encode().replace(b'"files": {', b'"files": {"%b": 1, ' % NAME.encode())
        self.assertEqual(decode(text).files, {NAME: 95872})


def finished(steps: Generator[None, None, PeerInfo]) -> PeerInfo:
    """What is returned after the last step."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            info: PeerInfo = end.value
            return info


class UnpackTests(SynchronousTestCase):
    @given(st.binary(max_size=200), st.none() | st.sampled_from(("gzip", "GZIP ", "identity", "", "br", "gzip, gzip")) | st.text(max_size=10))
    def test_any_bytes(self, body: bytes, encoding: str | None) -> None:
        """No body raises anything but RemoteProtocolError."""
        with contextlib.suppress(RemoteProtocolError):
            decode(body, encoding)

    @given(st.binary(max_size=200), st.data())
    def test_damaged(self, text: bytes, data: st.DataObject) -> None:
        """A packed text that lacks its end is refused, and a damaged one never gives more than the limit."""
        packed = pack(text)
        cut = data.draw(st.integers(0, len(packed) - 1))
        self.assertRaises(RemoteProtocolError, decode, packed[:cut], "gzip")
        damaged = bytearray(packed)
        damaged[cut] ^= data.draw(st.integers(1, 255))
        with contextlib.suppress(RemoteProtocolError):
            decode(bytes(damaged), "gzip")

    def test_encodings(self) -> None:
        """gzip under both of its names is unpacked, no encoding is passed through, others are refused."""
        text = json.dumps(document()).encode()
        for encoding in ("gzip", "x-gzip", " GZip "):
            self.assertEqual(decode(gzip.compress(text), encoding).files, {NAME: 95872})
        for plain in (None, "", "identity", " Identity "):
            self.assertEqual(decode(text, plain).files, {NAME: 95872})
        for other in ("br", "deflate", "zstd", "gzip, gzip"):
            self.assertRaises(RemoteProtocolError, decode, text, other)
        self.assertRaises(RemoteProtocolError, decode, zlib.compress(text), "gzip")

    def test_at_the_limit(self) -> None:
        """8 MiB are unpacked, one byte more is refused."""
        text = json.dumps(document()).encode()
        self.assertEqual(decode(gzip.compress(text.ljust(UNPACKED_LIMIT)), "gzip").files, {NAME: 95872})
        self.assertRaises(RemoteProtocolError, decode, gzip.compress(text.ljust(UNPACKED_LIMIT + 1)), "gzip")

    def test_bomb(self) -> None:
        """A gzip bomb takes little memory, since what is unpacked is not kept."""
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = packer.compress(json.dumps(document()).encode())
        bomb += b"".join(packer.compress(b" " * (1 << 20)) for _ in range(512)) + packer.flush()
        self.assertLess(len(bomb), 1 << 20)
        tracemalloc.start()
        try:
            error = self.assertRaises(RemoteProtocolError, decode, bomb, "gzip")
            self.assertLess(tracemalloc.get_traced_memory()[1], 1 << 20)
        finally:
            tracemalloc.stop()
        self.assertIn("8 MiB", str(error))
