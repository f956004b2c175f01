"""Tests for `pacserve.pacsrv.words`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.words import DEFAULT_CONFIGURATION, read_words

WORDS = st.lists(
    st.sampled_from(["-Syu", "-r", "-b", "/mnt", "--root", "--", "--config", "--config=/x", "--sysroot", "zlib", "-", "-Qr", "--ask", "--x"])
)


class WordsTests(SynchronousTestCase):
    def test_default(self) -> None:
        """Without --config it is pacman's own file, and no word is lost."""
        read = read_words(["-Syu", "--root", "/mnt", "-b/db", "zlib"])
        self.assertEqual((read.configuration, read.sysroot), (DEFAULT_CONFIGURATION, ""))
        self.assertEqual(read.with_configuration("/x"), ("--config=/x", "-Syu", "--root", "/mnt", "-b/db", "zlib"))

    def test_configuration(self) -> None:
        """The last --config counts, in both ways of writing it, and is replaced."""
        read = read_words(["--config", "/a", "-S", "--config=/b", "zlib"])
        self.assertEqual(read.configuration, "/b")
        self.assertEqual(read.others, ("-S", "zlib"))

    def test_values_are_no_options(self) -> None:
        """What belongs to another option, or follows a double dash, is no --config."""
        self.assertEqual(read_words(["-Sr", "--config", "/a"]).configuration, DEFAULT_CONFIGURATION)
        self.assertEqual(read_words(["--dbpath", "--config", "x"]).others, ("--dbpath", "--config", "x"))
        self.assertEqual(read_words(["-S", "--", "--config", "/a"]).others, ("-S", "--", "--config", "/a"))
        self.assertEqual(read_words(["--root", "--", "--config", "/a"]).configuration, "/a")

    def test_incomplete(self) -> None:
        """What lacks its value is left for pacman to refuse."""
        self.assertEqual(read_words(["-S", "--config"]).others, ("-S", "--config"))

    def test_sysroot(self) -> None:
        """--sysroot is seen in every way that getopt_long takes, and stays."""
        for words in (["--sysroot", "/mnt"], ["--sysroot=/mnt"], ["--sysr", "/mnt"], ["--sysro=/mnt"]):
            read = read_words(["-S", *words])
            self.assertEqual(read.sysroot, "/mnt")
            self.assertEqual(read.others, ("-S", *words))

    def test_local(self) -> None:
        """Operations that download nothing are told from those that may, by letter and by name."""
        for words in (["-Q"], ["-Qi", "zlib"], ["-Rns", "x"], ["--query"], ["-V"], ["-T", "x"]):
            self.assertTrue(read_words(words).local, words)
        for words in (["-Syu"], ["-U", "x"], ["-Fy"], ["--sync", "x"], ["-S", "--", "-Q"], ["-r", "-Q", "-S"], ["-rQ", "-S"], []):
            self.assertFalse(read_words(words).local, words)

    @given(WORDS)
    def test_nothing_is_lost(self, words: list[str]) -> None:
        """With its own configuration put back, a command line means what it meant."""
        read = read_words(words)
        again = read_words(read.with_configuration(read.configuration))
        self.assertEqual(again, read)
