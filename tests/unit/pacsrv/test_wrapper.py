"""Tests for `pacserve.pacsrv.wrapper`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.asking import CHECK_TIMEOUT, Daemon, SilentError
from pacserve.pacsrv.wrapper import Wrapper
from tests.fakes.configuration import FakeFiles

CONF = "[core]\nServer = http://a/\n"


class BecomeError(BaseException):
    """The process would be pacman now."""


class FakeDaemon(Daemon):
    """Answers, or is silent for a reason."""

    def __init__(self, silence: str = "") -> None:
        super().__init__(15678, lambda: 0.0)
        self._silence = silence
        self.checks = 0

    def check(self, timeout: float = CHECK_TIMEOUT) -> None:
        self.checks += 1
        if self._silence:
            raise SilentError(self._silence)


class WrapperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: list[str] = []
        self.words: Sequence[str] = ()
        self.became: Mapping[str, str] = {}
        self.text = ""
        self.error: OSError | None = None

    def execute(self, program: str, words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        """Notes what pacman would be given, and reads the configuration as pacman would."""
        if self.error is not None:
            raise self.error
        self.assertEqual(program, words[0])
        self.words, self.became = words[1:], environment
        for word in words:
            if word.startswith("--config=/proc/self/fd/"):
                path = word.partition("=")[2]
                self.assertTrue(os.get_inheritable(int(Path(path).name)))
                self.text = Path(path).read_text()
                os.close(int(Path(path).name))
        raise BecomeError

    def run_words(self, *words: str, silence: str = "", files: Mapping[str, str] | None = None, **environment: str) -> int | None:
        """Runs it; None where it became pacman."""
        self.daemon = FakeDaemon(silence)
        known = FakeFiles({"/etc/pacman.conf": CONF} if files is None else files)
        wrapper = Wrapper(self.daemon, known, environment, self.said.append, lambda: True, self.execute)
        try:
            return wrapper.run(words)
        except BecomeError:
            return None

    def test_configuration(self) -> None:
        """pacman inherits a configuration in which pacserve comes first, and gets all other words as they are."""
        self.assertIsNone(self.run_words("-S", "--root", "/mnt", "zlib"))
        self.assertEqual(self.words[1:], ("-S", "--root", "/mnt", "zlib"))
        self.assertEqual(self.text, "[core]\nServer = http://localhost:15678/request/$repo/$arch\nServer = http://a/\n")
        self.assertEqual(self.said, [])

    def test_own_configuration(self) -> None:
        """The file that --config names is the one that is read."""
        self.assertIsNone(self.run_words("-S", "--config", "/mine", files={"/mine": "[mine]\nServer = http://b/\n"}))
        self.assertIn("[mine]", self.text)
        self.assertEqual(self.words[1:], ("-S",))

    def test_silent_daemon(self) -> None:
        """Without a daemon pacman runs as it was called, and one line says why."""
        self.assertIsNone(self.run_words("-Syu", silence="no program listens there", http_proxy="p:1"))
        self.assertEqual(self.words, ("-Syu",))
        self.assertEqual(self.became, {"http_proxy": "p:1"})
        (line,) = self.said
        self.assertIn("no program listens there", line)
        self.assertIn("plain pacman", line)

    def test_local(self) -> None:
        """For what downloads nothing nobody is asked, and nothing is said."""
        self.assertIsNone(self.run_words("-Qi", "zlib", silence="no program listens there"))
        self.assertEqual((self.words, self.said, self.daemon.checks), (("-Qi", "zlib"), [], 0))

    def test_proxy(self) -> None:
        """pacman does not ask a proxy for localhost."""
        self.run_words("-Sy", http_proxy="p:1")
        self.assertEqual(self.became["no_proxy"], "localhost")

    def test_absent_configuration(self) -> None:
        """A configuration that can't be read is named, and pacman is not run."""
        self.assertEqual(self.run_words("-S", files={}), 1)
        self.assertIn("/etc/pacman.conf can't be read: no such file or directory", self.said[0])

    def test_no_pacman(self) -> None:
        """Where there is no pacman, or it can't be run, that is said, with the exit status that a shell has for it."""
        for self.error, status in ((FileNotFoundError(2, "No such file"), 127), (PermissionError(13, "Permission denied"), 126)):
            self.assertEqual(self.run_words("-Q"), status)
        self.assertIn("not installed", self.said[0])
        self.assertIn("permission denied", self.said[1])
