"""Tests for `pacserve.apt.releases`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from pacserve.apt.releases import SIZE_LIMIT, IndexEntry, Release, parse_release
from tests.fakes.releases import digest_of, in_release, release_text

PACKAGES = "main/binary-amd64/Packages"
FILES = {PACKAGES: b"text", f"{PACKAGES}.xz": b"xz", "main/binary-arm64/Packages": b"", "main/i18n/Translation-en": b""}
PARTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/\\%"), min_size=1, max_size=12)
PATHS = st.lists(PARTS.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4).map("/".join)


class ParseTests(TestCase):
    def test_plain_and_signed(self) -> None:
        """Release and InRelease state the same, and the bytes stay as they came."""
        for data in (release_text(FILES), in_release(FILES)):
            release = parse_release(data)
            assert release is not None
            self.assertEqual((release.date, release.by_hash, release.data), (1_767_225_600, False, data))
            self.assertEqual(release.named(PACKAGES), IndexEntry(PACKAGES, 4, digest_of(b"text")))
            self.assertIsNone(release.named("main/binary-amd64/Packages.gz"))
            self.assertIsNone(release.named("binary-amd64/Packages"))

    def test_fields(self) -> None:
        """Fields are taken from the text alone; by digest is only what says so."""
        self.assertTrue(_parsed(release_text(FILES, by_hash=True)).by_hash)
        self.assertFalse(_parsed(release_text(FILES).replace(b"Suite: a", b"Acquire-By-Hash: no")).by_hash)
        self.assertFalse(_parsed(in_release(FILES) + b"\nAcquire-By-Hash: yes\n").by_hash)
        self.assertIsNone(_parsed(release_text(FILES, date="never")).date)
        self.assertIsNone(_parsed(release_text(FILES, date="Thu, " * 1000)).date)
        self.assertEqual(_parsed(release_text(FILES, date="Thu, 01 Jan 2026 00:00:00 -0000")).date, 1_767_225_600)

    def test_no_release(self) -> None:
        """A page, a part of a release, and one that is too large, or takes too long to read, are none."""
        page = b"<html><body>Password: <input></body></html>"
        signed = in_release(FILES)
        for data in (
            b"",
            page,
            b"Origin: x\n",
            b"Packages\nSHA256:\n",
            signed[:200],
            b"\n" + release_text(FILES),
            b"a: b\nSHA256:\n" + bytes(SIZE_LIMIT),
            b"SHA256:\n" + b"a:\n" * 100_000,
            signed.replace(b"SHA256:", b"- \n" * 100_000 + b"SHA256:"),
        ):
            self.assertIsNone(parse_release(data), data[:40])
        self.assertIsNone(parse_release(b"".join(b"A%d: x\n" % number for number in range(100)) + release_text(FILES)))

    def test_other_digests(self) -> None:
        """A release with MD5 alone is one, of which no file is known."""
        release = _parsed(b"Origin: x\nMD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 Packages\n")
        self.assertIsNone(release.named("Packages"))
        self.assertIsNone(release.digested("", digest_of(b"")))

    def test_the_section_ends(self) -> None:
        """Lines of another list are not taken for those of this one, whatever follows which."""
        line = b" %s 4 Packages\n" % digest_of(b"text").hex().encode()
        for text in (b"a: b\nSHA256:\n%s" % line, b"SHA256: \r\n%sSHA512:\n" % line.replace(b"\n", b"\r\n")):
            self.assertIsNotNone(_parsed(text).named("Packages"))
        for text in (b"SHA256:\nSHA1:\n" + line, b"SHA256:\n\n" + line, b"SHA1:\n" + line):
            self.assertIsNone(_parsed(text).named("Packages"))

    def test_escapes(self) -> None:
        """Escapes of the armor are no part of the text."""
        signed = in_release(FILES)
        escaped = signed.replace(b"SHA256:", b"- SHA256:").replace(b"Acquire", b"- Acquire")
        release = _parsed(escaped)
        self.assertEqual(release.data, escaped)
        self.assertIsNotNone(release.named(PACKAGES))

    def test_written_with_a_dot(self) -> None:
        """Flat repositories write `./` before their files, and some a tab."""
        for written in (b" ./Packages", b"\tPackages", b"\t./Packages"):
            release = _parsed(release_text({"Packages": b"text"}).replace(b" Packages", written))
            self.assertEqual(release.named("Packages"), IndexEntry("Packages", 4, digest_of(b"text")))
            self.assertIsNotNone(release.digested("", digest_of(b"text")))

    def test_by_digest(self) -> None:
        """An index is found by its digest in its own folder, also where hundreds have the same."""
        files = {f"main/binary-{number}/Packages.xz": b"empty" for number in range(500)}
        release = _parsed(release_text({**files, PACKAGES: b"text"}))
        for folder in ("main/binary-0", "main/binary-499"):
            self.assertEqual(release.digested(folder, digest_of(b"empty")), IndexEntry(f"{folder}/Packages.xz", 5, digest_of(b"empty")))
        self.assertIsNone(release.digested("main", digest_of(b"empty")))
        self.assertIsNone(release.digested("main/binary-amd64", digest_of(b"empty")))
        upper = release_text({PACKAGES: b"text"}).replace(digest_of(b"text").hex().encode(), digest_of(b"text").hex().upper().encode())
        self.assertIsNotNone(_parsed(upper).digested("main/binary-amd64", digest_of(b"text")))

    def test_hostile_lines(self) -> None:
        """Paths that lead out of the folder, sizes and digests that can't be are no lines; and no number of lines costs much."""
        digest = "a" * 64
        for line in (
            f"{digest} 4 ../Packages",
            f"{digest} -4 Packages",
            f"{digest[1:]} 4 Packages",
            f"{digest} {'9' * 16} Packages",
            f"{digest} 4 a//b",
        ):
            release = _parsed(f"SHA256:\n {line}\n".encode())
            path = line.rpartition(" ")[2]
            self.assertIsNone(release.named(path), line)
            self.assertIsNone(release.digested(path.rpartition("/")[0], bytes.fromhex(digest)), line)
        many = _parsed(b"SHA256:\n" + b" Packages \n" * 100_000 + f" {digest} 4 Packages\n".encode())
        self.assertIsNone(many.named("Packages"))
        self.assertIsNone(many.named("\udce4"))

    @given(st.binary(max_size=300), st.binary(max_size=300))
    def test_any_bytes(self, head: bytes, tail: bytes) -> None:
        """No bytes break it, in no place."""
        for data in (head, head + b"\nSHA256:\n" + tail, b"Date: " + head + b"\nSHA256:\n " + tail, in_release(FILES)[:120] + head + b"\nSHA256:\n"):
            release = parse_release(data)
            if release is not None:
                release.named("Packages")
                release.digested("", hashlib.sha256().digest())

    @given(st.dictionaries(PATHS, st.binary(max_size=3), min_size=1, max_size=8), st.booleans())
    def test_every_line_is_found(self, files: Mapping[str, bytes], signed: bool) -> None:
        """Every file that is listed is found by its name, and by its digest in its folder."""
        release = _parsed(in_release(files) if signed else release_text(files))
        for path, data in files.items():
            entry = IndexEntry(path, len(data), digest_of(data))
            self.assertEqual(release.named(path), entry)
            found = release.digested(path.rpartition("/")[0], digest_of(data))
            assert found is not None
            self.assertEqual(found.sha256, entry.sha256)

    def test_digest(self) -> None:
        """Two releases of the same indexes are told apart where a byte differs."""
        first, second = _parsed(in_release(FILES)), _parsed(in_release(FILES) + b"\n")
        self.assertNotEqual(first.digest, second.digest)


def _parsed(data: bytes) -> Release:
    release = parse_release(data)
    assert release is not None
    return release
