"""Tests for `pacserve.packages.names`."""

import os
import time
from collections.abc import Callable
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RemoteProtocolError
from pacserve.packages.files import FileKind
from pacserve.packages.names import (
    ContentName,
    PackageName,
    architecture,
    file_name,
    is_early,
    kind_of,
    package_file,
    parse_content_name,
    parse_package_file,
    shared_file,
)
from pacserve.pacman.configuration import repository_name
from pacserve.peers.inventory import PeerInfo
from tests.fakes import early_inventory

SUFFIXES = tuple(f".pkg.tar{end}" for end in ("", ".gz", ".bz2", ".xz", ".zst", ".lzo", ".lrz", ".lz4", ".lz", ".Z"))
PACKAGES = st.builds(
    PackageName,
    st.from_regex(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]{0,30}", fullmatch=True),
    st.from_regex(r"([0-9]{1,2}:)?[A-Za-z0-9@._+~^,!=(){}#?<>;'\"*|&$`\[\]]{1,20}-[0-9]{1,3}(\.[0-9])?", fullmatch=True),
    st.sampled_from(("x86_64", "any", "armv7h", "x86_64_v3", "Alpha")),
    st.sampled_from(SUFFIXES),
    st.booleans(),
)
# Texts that come near the grammar find more than arbitrary ones.
NEAR = st.text(alphabet="ab01.:~+-_@/\\\n\0% pkgtarzstiF25^,\u00e9\u2028", max_size=60)
TEXTS = (
    st.text()
    | NEAR
    | st.builds("{}{}{}".format, NEAR, st.sampled_from(("", *SUFFIXES)), st.sampled_from(("", ".sig", "\n", ".sig\n", "/", "\0")))
    | st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)


def written(parts: PackageName) -> str:
    """The name that has these parts."""
    return f"{parts.name}-{parts.version}-{parts.arch}{parts.suffix}{'.sig' if parts.signature else ''}"


class AnyTextTests(SynchronousTestCase):
    def assert_one_part(self, text: str) -> None:
        """A name that passed is one visible path part to every server, however often it decodes it."""
        self.assertTrue(0 < len(os.fsencode(text)) <= 255, text)
        for _ in range(4):
            self.assertTrue(text.isprintable(), text)
            self.assertFalse(text.startswith(".") or set(text) & set("/\\"), text)
            text = unquote(text)

    def assert_harmless(self, text: str, limit: int) -> None:
        """A name that passed is one visible path part."""
        self.assertTrue(text.isascii() and text.isprintable() and 0 < len(text) <= limit, text)
        self.assertFalse(text.startswith(".") or set(text) & set("/\\%?#& '\"$"), text)

    @given(TEXTS)
    @example("..")
    @example("a\n")
    @example("a" * 256)
    def test_file_names(self, text: str) -> None:
        """Whatever passes as a file name is one visible path part of at most 255 bytes."""
        if file_name(text):
            self.assert_one_part(text)

    @given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\.%"), min_size=1, max_size=60))
    def test_all_that_is_no_trick(self, text: str) -> None:
        """Any text that can be printed and is no path passes."""
        self.assertTrue(file_name(text))
        self.assertTrue(file_name(f"{text} .{text}"))

    @given(TEXTS)
    @example("x-1-1-any.pkg.tar.zst\n")
    @example("../x-1-1-any.pkg.tar.zst")
    def test_package_names(self, text: str) -> None:
        """Whatever passes as a package's name passes as a file name, and its parts make it up again."""
        parts = parse_package_file(text)
        if parts is not None:
            self.assertTrue(file_name(text) and text.isascii() and " " not in text and unquote(text) == text)
            self.assertEqual(written(parts), text)
            self.assertIs(kind_of(text), FileKind.SIGNATURE if parts.signature else FileKind.PACKAGE)

    @given(TEXTS | PACKAGES.map(written))
    def test_package_files(self, text: str) -> None:
        """What is a package file, and not its signature, is known without its parts as well."""
        parsed = parse_package_file(text)
        self.assertEqual(package_file(text), parsed is not None and not parsed.signature)

    @given(TEXTS)
    @example("core\n")
    def test_repositories(self, text: str) -> None:
        """Whatever passes as a repository is one visible path part of harmless characters."""
        if repository_name(text):
            self.assert_harmless(text, 128)

    @given(TEXTS)
    @example("x86_64\n")
    def test_architectures(self, text: str) -> None:
        """Whatever passes as an architecture is a short word."""
        if architecture(text):
            self.assert_harmless(text, 32)


class FileNameTests(SynchronousTestCase):
    def test_taken(self) -> None:
        """Mirrors are asked for names that no host shares: with blanks, UTF-8, percent signs, and whatever versions may have."""
        for name in (
            "a-1^2,3!4=5%6(7)-1-any.pkg.tar.zst",
            "my package-1-1-any.pkg.tar.zst",
            "p\u00e4ckchen-1-1-any.pkg.tar.zst.sig",
            "a%20b.db",
            "a?b#c",
            "100%",
            "%",
            "a..b",
            "-a",
            "\u00e9" * 127,
        ):
            self.assertTrue(file_name(name), name)

    def test_refused(self) -> None:
        """Paths, names that are paths once they were decoded, hidden ones, and such as would spoil a line are asked of nobody."""
        tricks = (
            "",
            ".",
            "..",
            ".htaccess",
            "a/b",
            "a\\b",
            "..\\a",
            "%2e%2e",
            "a%2fb",
            "a%5Cb",
            "%252e%252e%252fetc",
            "%25%32%66",
            "a%00",
            "a%0a",
            "%2ea",
        )
        for name in (*tricks, "a\0", "a\n", "a\x7f", "a\x85", "a\u2028b", "a\u202eb", "a\udcff", "a" * 256, "\u00e9" * 128):
            self.assertFalse(file_name(name), name)


class PackageTests(SynchronousTestCase):
    @given(PACKAGES)
    def test_round_trip(self, parts: PackageName) -> None:
        """The last three dashes divide a name into its parts, whatever dashes stand before them."""
        self.assertEqual(parse_package_file(written(parts)), parts)

    def test_real_names(self) -> None:
        """Epochs, pluses, tildes, dashes, subreleases and every compression of makepkg are taken."""
        for name, expected in {
            "zlib-1:1.3.1-2-x86_64.pkg.tar.zst": ("zlib", "1:1.3.1-2", "x86_64", ".pkg.tar.zst", False),
            "libstdc++5-3.3.6-9.1-x86_64.pkg.tar.xz.sig": ("libstdc++5", "3.3.6-9.1", "x86_64", ".pkg.tar.xz", True),
            "c++pkg-1:2.0+r3.gabc~rc1-1-any.pkg.tar": ("c++pkg", "1:2.0+r3.gabc~rc1-1", "any", ".pkg.tar", False),
            "linux-firmware-20240909.552ed9b8-1-any.pkg.tar.zst": ("linux-firmware", "20240909.552ed9b8-1", "any", ".pkg.tar.zst", False),
            "a-1:2^3,4!5=6(7)%8-1-any.pkg.tar.zst": ("a", "1:2^3,4!5=6(7)%8-1", "any", ".pkg.tar.zst", False),
            "@x-1-1-armv7h.pkg.tar.Z": ("@x", "1-1", "armv7h", ".pkg.tar.Z", False),
        }.items():
            self.assertEqual(parse_package_file(name), PackageName(*expected))

    def test_other_names(self) -> None:
        """Partial files, downloads under way, databases, and whatever else lies in a cache are no packages."""
        good = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
        for name in (
            "",
            f"{good}.part",
            f"{good}.sig.part",
            f"{good}.sig.sig",
            f".{good}",
            f"-{good}",
            f"download-a1B2c3/{good}",
            "download-a1B2c3",
            f"{good}/",
            f"./{good}",
            f"{good}\0",
            f" {good}",
            good.replace(".zst", ".exe"),
            good.replace("-x86_64", ""),
            good.replace("-2", "-x"),
            good.replace(":", "%3A"),
            good.replace("1.3.1", "1.3%2f1"),
            good.replace("1.3.1", "1.3\\1"),
            good.replace("1.3.1", "1 3"),
            good.replace("1.3.1", "1.\u00e9"),
            good.replace("zlib", "z,lib"),
            good.replace("x86_64", "x86-64"),
            "core.db",
            "core.db.sig",
            "core.files.tar.gz",
            "zlib-1.3-1-x86_64.src.tar.gz",
            f"{'a' * 240}-1-1-any.pkg.tar.zst",
        ):
            self.assertIsNone(parse_package_file(name), name)

    @given(PACKAGES)
    def test_early(self, parts: PackageName) -> None:
        """The names are told apart that versions from before take."""
        name = written(parts)
        listed = PeerInfo("0" * 32, 1, (), {name: 1})
        try:
            early_inventory.decode(early_inventory.encode(listed))
        except RemoteProtocolError:
            self.assertFalse(is_early(name))
        else:
            self.assertTrue(is_early(name))

    def test_longest(self) -> None:
        """A name may have as many bytes as a file system takes, and not one more."""
        rest = "-1-1-any.pkg.tar.zst"
        longest = "a" * (255 - len(rest)) + rest
        self.assertIsNotNone(parse_package_file(longest))
        self.assertIsNone(parse_package_file(f"a{longest}"))

    def test_patience(self) -> None:
        """No name takes long, however many ways there are to divide it."""
        tricks: tuple[Callable[[str], object], ...] = (parse_package_file, file_name, repository_name, architecture)
        began = time.monotonic()
        for text in ("a-1" * 85, "1-" * 127, "1" * 255, "1." * 127, "-" * 255, "a-1-1-" * 42, "a" * 100_000, "a-1-1-any.pkg.tar" * 10_000):
            for trick in tricks:
                trick(text)
        self.assertLess(time.monotonic() - began, 1.0)


class KindTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """Signatures of packages may come from peers; everything that is no package, its signature included, comes from mirrors."""
        for name, kind in {
            "zlib-1-1-any.pkg.tar.zst": FileKind.PACKAGE,
            "zlib-1-1-any.pkg.tar.zst.sig": FileKind.SIGNATURE,
            "core.db": FileKind.DATABASE,
            "core.db.sig": FileKind.DATABASE,
            "core.files": FileKind.DATABASE,
            "lastsync": FileKind.DATABASE,
            "my zlib-1-1-any.pkg.tar.zst": FileKind.PACKAGE,
            "my zlib-1-1-any.pkg.tar.zst.sig": FileKind.SIGNATURE,
        }.items():
            self.assertIs(kind_of(name), kind)


class SharedNameTests(SynchronousTestCase):
    def test_content_names(self) -> None:
        """A file that is shared by content has a label and the SHA-256 of what is in it."""
        parsed = parse_content_name(f"zlib1g_1.2.13-1_amd64@{'3a' * 32}.blob")
        self.assertEqual(parsed, ContentName("zlib1g_1.2.13-1_amd64", bytes.fromhex("3a" * 32)))

    def test_no_content_names(self) -> None:
        """Everything else is none: hidden, in a folder, with a short, long or upper-case digest, without a label, or too long."""
        digest = "3a" * 32
        for text in (
            f"@{digest}.blob",
            f".a@{digest}.blob",
            f"a/b@{digest}.blob",
            f"a@{digest[:-1]}.blob",
            f"a@{digest}0.blob",
            f"a@{digest.upper()}.blob",
            f"a@b@{digest}.blob",
            f"a@{digest}.blob\n",
            f"a@{digest}",
            f"{'a' * 129}@{digest}.blob",
        ):
            self.assertIsNone(parse_content_name(text), text)

    @given(st.from_regex(r"[A-Za-z0-9_+][A-Za-z0-9._+~-]{0,127}@[0-9a-f]{64}\.blob", fullmatch=True))
    def test_one_grammar_each(self, text: str) -> None:
        """No name is that of a package file and that of content, and each is a whole path part."""
        self.assertIsNone(parse_package_file(text))
        self.assertIsNotNone(shared_file(text))
        self.assertTrue(file_name(text))
        self.assertIs(kind_of(text), FileKind.PACKAGE)
