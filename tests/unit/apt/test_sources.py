"""Tests for `pacserve.apt.sources`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.bases import Bases
from pacserve.apt.sources import IndexTarget, Sources, base_of, mirror_file, mirror_list_base, parse_mirrors, parse_targets, sources_of
from pacserve.apt.targets import Target

DEBIAN = Target("http://deb.example", ("debian",))
LIST = "/lists/deb.example_debian_dists_stable_main_binary-amd64_Packages"
AUXILIARY = "/lists/auxfiles/"


def here(authority: str) -> bool:
    """Returns whether an authority is that of the daemon."""
    return authority in ("localhost:9988", "127.0.0.1:9988", "[::1]:9988")


def sources(*targets: tuple[str, str, str], more: Sequence[str] = (), mirrors: Mapping[str, Sequence[str]] | None = None) -> Sources:
    """Returns the sources of a host."""
    return sources_of([IndexTarget(*target) for target in targets], more, (mirrors or {}).get, here)


class TargetsTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Each line is a target: its kind, its repository, and the file of apt's copy."""
        output = f"Packages\thttp://deb.example/debian/\t{LIST}\nDEP-11\thttp://deb.example/deb ian/\t/lists/x\n"
        self.assertEqual(
            parse_targets(output.encode()),
            [IndexTarget("Packages", "http://deb.example/debian/", LIST), IndexTarget("DEP-11", "http://deb.example/deb ian/", "/lists/x")],
        )

    def test_left_out(self) -> None:
        """A line with other fields, without a kind, with a file that has no path, or with what can't be printed is none."""
        for line in (
            b"",
            b"Packages\thttp://deb.example/",
            b"\thttp://x/\t/y",
            b"Packages\t\t/y",
            b"Packages\thttp://x/\ty",
            b"P\thttp://x/\x1b/\t/y",
        ):
            self.assertEqual(parse_targets(line), [], line)

    @given(st.binary(max_size=300) | st.text("P\t\n/:h", max_size=300).map(str.encode))
    def test_bytes(self, output: bytes) -> None:
        """Any bytes are read without an error, and every file has a path."""
        for target in parse_targets(output):
            self.assertTrue(target.file.startswith("/") and target.file.isprintable())


class BasesTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """A source names its mirror; the password of one that has one is left out, since apt sends that by itself."""
        self.assertEqual(base_of("http://deb.example/debian/", here), DEBIAN)
        self.assertEqual(base_of("http://user:secret@deb.example/debian", here), DEBIAN)
        self.assertEqual(base_of("https://deb.example:8443/", here), Target("https://deb.example:8443", ()))

    def test_decoded(self) -> None:
        """apt prints URLs decoded: a blank and a percent sign stand for themselves."""
        self.assertEqual(base_of("http://deb.example/deb ian~é", here), Target("http://deb.example", ("deb ian~é",)))

    def test_own_prefix(self) -> None:
        """A source in the form of DebTorrent is that of the mirror behind it, also where that is the root of its host."""
        for url, base in (
            ("http://localhost:9988/deb.example/debian/", DEBIAN),
            ("http://[::1]:9988/deb.example/", Target("http://deb.example", ())),
            ("http://127.0.0.1:9988/https://deb.example:8443/debian", Target("https://deb.example:8443", ("debian",))),
        ):
            self.assertEqual(base_of(url, here), base)

    def test_refused(self) -> None:
        """There is no base that leads back to this daemon, and none that is asked by another protocol."""
        for url in (
            "http://localhost:9988/",
            "http://localhost:9988/localhost:9988/deb.example/debian",
            "http://localhost:9988/https://",
            "https://localhost:9988/deb.example",
            "file:/srv/repository/",
            "cdrom://Debian/",
            "tor+http://deb.example/debian/",
            "http://deb.example/../x",
            "",
        ):
            self.assertIsNone(base_of(url, here), url)

    @given(st.text(max_size=60) | st.text("htps:/localhost98.xy%", max_size=60).map("http://localhost:9988/{}".format))
    def test_any(self, url: str) -> None:
        """Any text is a base that does not lead back here, or none."""
        base = base_of(url, here)
        self.assertFalse(base is not None and here(base.origin.partition("://")[2]))


class MirrorsTests(SynchronousTestCase):
    def test_file(self) -> None:
        """A list of mirrors is a file of this host, or one that apt has fetched."""
        self.assertEqual(mirror_file("mirror+file:/etc/apt/mirrors/debian.list/", AUXILIARY), "/etc/apt/mirrors/debian.list")
        self.assertEqual(mirror_file("mirror+file:///etc/apt/debian.list/", AUXILIARY), "/etc/apt/debian.list")
        self.assertEqual(mirror_file("mirror+http://deb.example/a_b/mirrors.txt/", AUXILIARY), "/lists/auxfiles/deb.example_a%5fb_mirrors.txt")
        self.assertEqual(mirror_file("mirror://deb.example/mirrors.txt/", AUXILIARY), "/lists/auxfiles/deb.example_mirrors.txt")
        self.assertIsNone(mirror_file("http://deb.example/debian/", AUXILIARY))

    def test_fetched(self) -> None:
        """A list that apt fetches may be fetched through this daemon."""
        self.assertEqual(mirror_list_base("mirror+https://deb.example/a/mirrors.txt/", here), Target("https://deb.example", ("a",)))
        self.assertEqual(mirror_list_base("mirror://deb.example/mirrors.txt/", here), Target("http://deb.example", ()))
        self.assertIsNone(mirror_list_base("mirror+file:/etc/apt/mirrors.txt/", here))
        self.assertIsNone(mirror_list_base("http://deb.example/", here))

    def test_lines(self) -> None:
        """Each line is a mirror, and what is said of it; there are comments."""
        text = b"# mirrors\nhttp://a.example/debian\tpriority:1 arch:amd64\n\n  https://b.example/debian/  \n"
        self.assertEqual(parse_mirrors(text), ["http://a.example/debian", "https://b.example/debian/"])

    @given(st.binary(max_size=200))
    def test_bytes(self, text: bytes) -> None:
        """Any bytes are read without an error."""
        for url in parse_mirrors(text):
            base_of(url, here)


class SourcesTests(SynchronousTestCase):
    def test_lists(self) -> None:
        """Every repository is a base; lists are those that state files."""
        found = sources(
            ("Packages", "http://deb.example/debian/", LIST),
            ("DEP-11", "http://other.example/", "/lists/dep11"),
            ("Sources", "file:/srv/repository/", "/lists/own"),
        )
        self.assertEqual(found, Sources(Bases((DEBIAN, Target("http://other.example", ()))), {LIST: (DEBIAN,)}))

    def test_mirrors(self) -> None:
        """A list belongs to all mirrors of its repository, and to all repositories that have it in the same file."""
        mirrors = {"mirror+file:/m/": ["http://deb.example/debian", "http://localhost:9988/", "https://b.example/debian/"]}
        found = sources(("Packages", "mirror+file:/m/", "/lists/m"), ("Packages", "http://c.example/", "/lists/m"), mirrors=mirrors)
        bases = (DEBIAN, Target("https://b.example", ("debian",)), Target("http://c.example", ()))
        self.assertEqual(found, Sources(Bases(bases), {"/lists/m": bases}))

    def test_fetched_mirrors(self) -> None:
        """A list of mirrors that apt has not fetched yet is a file that may be asked for."""
        found = sources(("Packages", "mirror+http://m.example/x/list/", "/lists/m"), mirrors={"mirror+http://m.example/x/list/": []})
        self.assertEqual(found, Sources(Bases((Target("http://m.example", ("x",)),)), {}))

    def test_more(self) -> None:
        """More bases may be named, which no list belongs to."""
        self.assertEqual(sources(more=("http://deb.example/debian", "ftp://x/")), Sources(Bases((DEBIAN,)), {}))
