"""Tests for `pacserve.apt.locating`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.locating import Located, locate, parse_located, question_of, question_of_label
from pacserve.errors import FetchError
from pacserve.packages.children import ChildOutcome
from pacserve.packages.labels import PackageLabel
from tests.fakes.children import Children

DIGEST = "d7dd1d1411fedf27f5e27650a6eff20ef294077b568f4c8c5e51466dc7c08ce4"
URL = "http://deb.example/debian/pool/main/z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb"
LINE = f"'{URL}' zlib1g_1%3a1.2.13.dfsg-1_amd64.deb 86684 SHA256:{DIGEST}\n".encode()
FOUND = Located(URL, bytes.fromhex(DIGEST))


class QuestionTests(SynchronousTestCase):
    def test_names(self) -> None:
        """apt is asked by the name of a package, with an architecture and a version where these are given."""
        for text, package in (("zlib1g", "zlib1g"), ("g++", "g++"), ("zlib1g:i386", "zlib1g"), ("zlib1g:i386=1:1.2~rc1-1+b2", "zlib1g")):
            self.assertEqual(question_of(text), (package, text))

    def test_no_package(self) -> None:
        """Options, patterns and paths never reach apt."""
        for text in ("-o", "--help", "z", "a*", "?name", "~nzlib", "zlib1g/sid", "./zlib.deb", "a b", "zlib1g=*", "zlib1g:any thing", "", "zlib1g\n"):
            self.assertIsNone(question_of(text), text)

    def test_label(self) -> None:
        """Of a label the version has no epoch, whichever there is."""
        self.assertEqual(question_of_label(PackageLabel("zlib1g", "1.2-1", "amd64")), ("zlib1g", "zlib1g:amd64=*1.2-1"))
        self.assertIsNone(question_of_label(PackageLabel("Zlib", "1.2-1", "amd64")))


class LocateTests(SynchronousTestCase):
    def located(self, answer: ChildOutcome | Exception) -> Located | None:
        """What a question becomes."""
        self.children = Children(answer)
        return self.successResultOf(Deferred.fromCoroutine(locate(self.children, ("zlib1g", "zlib1g"))))

    def test_found(self) -> None:
        """apt says from where it would fetch a package, and writes nothing meanwhile."""
        self.assertEqual(self.located(ChildOutcome(0, b"Reading package lists...\n" + LINE, "")), FOUND)
        (command,) = self.children.commands
        self.assertEqual((command[0], command[-2:]), ("apt-get", ("--", "zlib1g")))
        self.assertIn("Dir::Cache::pkgcache=", command)
        self.assertIn("Dir::Cache::srcpkgcache=", command)

    def test_not_found(self) -> None:
        """A package that apt does not know, and an apt that can't be asked, are none."""
        self.assertIsNone(self.located(ChildOutcome(100, LINE, "E: Unable to locate package")))
        self.assertIsNone(self.located(ChildOutcome(0, b"", "")))
        self.assertIsNone(self.located(FetchError("apt-get is not installed")))

    def test_other_packages(self) -> None:
        """Where apt takes a name for a pattern, the packages that it fits are none of those that were asked for."""
        other = LINE.replace(b"zlib1g_1%3a", b"zlib1g-dev_1%3a")
        self.assertEqual(parse_located(other + LINE, "zlib1g"), FOUND)
        self.assertIsNone(parse_located(other, "zlib1g"))

    def test_without_digest(self) -> None:
        """A list may state other digests only."""
        self.assertEqual(parse_located(LINE.partition(b" SHA256")[0] + b" MD5Sum:00\n", "zlib1g"), Located(URL, None))

    @given(st.binary(max_size=200) | st.lists(st.sampled_from([LINE, LINE[:-9], b"'\xff' ", b"\n", b" "]), max_size=6).map(b"".join))
    def test_anything(self, output: bytes) -> None:
        """Whatever a child prints is a URL in one line, or nothing."""
        located = parse_located(output, "zlib1g")
        self.assertTrue(located is None or (located.url.isprintable() and len(located.sha256 or b"") in (0, 32)))
