"""Tests for `pacserve.pacsrv.gathering_apt`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv import gathering_apt
from pacserve.pacsrv.asking import Daemon, SilentError
from pacserve.pacsrv.facts import AptFacts, Folder
from pacserve.pacsrv.gathering_apt import gather_apt, read_apt
from pacserve.pacsrv.process import User
from pacserve.pacsrv.setup.apt import AptState, File
from pacserve.pacsrv.setup.record import APT_SCRIPT, OPTION_FILES
from tests.unit.pacsrv.setup.test_apt import BOTH

URL = "http://127.0.0.1:9988"


def state(options: str = "") -> AptState:
    return AptState(present=True, files={**BOTH, OPTION_FILES[0]: File(options)})


class _Daemon(Daemon):
    """A daemon that answers at one address alone."""

    def __init__(self, answers: tuple[str, int] | None) -> None:
        super().__init__(15678, lambda: 0.0)
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    def greet(self, host: str, port: int) -> None:
        self.asked.append((host, port))
        if (host, port) != self.answers:
            raise SilentError("no program listens there")


class ReadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.script = self.folder / "pacserve-proxy"
        self.dump = f'Acquire "";\nAcquire::http "";\nAcquire::http::Proxy-Auto-Detect "{self.script}";\n'

    def write(self, text: str, mode: int = 0o755) -> None:
        self.script.write_text(f"#!/bin/sh\n{text}\n")
        self.script.chmod(mode)

    def read(self, dump: str = "", options: str = "") -> AptFacts:
        return read_apt(dump or self.dump, state(options), str(self.script))

    def test_script(self) -> None:
        """The script is asked as apt does it; one that is missing, can't be started or fails is a fault."""
        self.assertEqual(self.read().fault, "it is missing")
        self.write(f"echo {URL}")
        self.assertEqual((self.read().fault, self.read().proxy), ("", URL))
        self.write("exit 1")
        self.assertEqual(self.read().fault, "it fails")
        self.write("", mode=0o644)
        self.assertEqual(self.read().fault, "it can't be started")

    def test_other_program(self) -> None:
        """A program of others is named, and not run; of both names of the option apt takes the newer one."""
        self.write(f"touch {self.folder}/ran")
        facts = read_apt(f'Acquire::http::ProxyAutoDetect "old";\nacquire::HTTP::proxy-auto-detect "{self.script}";\n', state(), APT_SCRIPT)
        self.assertEqual((facts.detector, facts.fault, facts.proxy), (str(self.script), "", ""))
        self.assertFalse((self.folder / "ran").exists())

    def test_proxies(self) -> None:
        """Proxies are read for all hosts and for single ones; an empty one is none."""
        dump = 'Acquire::http::Proxy "http://proxy:3128";\nAcquire::http::Proxy::Deb.debian.org "DIRECT";\nAcquire::http::proxy::a "";\n'
        self.assertEqual(read_apt(dump, state()).proxies, {"": "http://proxy:3128", "deb.debian.org": "DIRECT"})
        self.assertEqual(read_apt('Acquire::https::Proxy "http://a:1";\n', state()).proxies, {})

    def test_options(self) -> None:
        """The options of the service say whether apt is to be answered, and where."""
        for options, wanted, port in (
            ("", False, 9988),
            ('PACSERVE_ARGS="--apt"\n', True, 9988),
            ('PACSERVE_ARGS="--apt --apt-port 9989"\n', True, 9989),
            ('PACSERVE_ARGS="--apt --apt-port=9990 --multicast"\n', True, 9990),
            ('PACSERVE_ARGS="--apt --apt-port x"\n', True, 9988),
        ):
            facts = read_apt("", state(options))
            self.assertEqual((facts.wanted, facts.port, facts.configured), (wanted, port, True))
        self.assertTrue(read_apt("", state("http_proxy=http://proxy:3128\n")).daemon_proxy)
        self.assertFalse(read_apt("", state("#http_proxy=http://proxy:3128\nhttp_proxy=\n")).daemon_proxy)

    @given(st.text())
    def test_foreign_text(self, dump: str) -> None:
        """Any output is read."""
        read_apt(dump, AptState())


class GatheringTests(SynchronousTestCase):
    def gathered(self, daemon: _Daemon, facts: AptFacts | None) -> AptFacts | None:
        self.patch(gathering_apt, "gather_apt_here", lambda: facts)
        self.patch(gathering_apt, "output_of", self.output)
        return gather_apt(daemon, None)

    def output(self, words: tuple[str, ...]) -> str:
        """The sources that apt names, or what the script says: it knows one host."""
        if words[0] == "apt-get":
            return "https://a/debian/\nhttp://b/\nHTTPS://c\nhttp://localhost:9988/https://d/\nhttp://e:81/x/\nhttps://a/debian/\n"
        return f"{URL}\n" if words[1] == "http://b/" else ""

    def test_no_apt(self) -> None:
        """A host without apt has no facts about it, and nothing is asked."""
        daemon = _Daemon(None)
        self.assertIsNone(self.gathered(daemon, None))
        self.assertEqual(daemon.asked, [])

    def test_unused(self) -> None:
        """Where no pacserve answers apt or should, apt is not asked for its sources."""
        facts = AptFacts(configured=True)
        self.assertEqual(self.gathered(_Daemon(None), facts), facts)

    def test_used(self) -> None:
        """Where apt is sent, or would be, the daemon is asked; sources of https are named once."""
        for facts, address in (
            (AptFacts(wanted=True, port=9989), ("127.0.0.1", 9989)),
            (AptFacts(detector=APT_SCRIPT, proxy="http://[::1]:9990"), ("::1", 9990)),
        ):
            daemon = _Daemon(address)
            found = self.gathered(daemon, facts)
            assert found is not None
            self.assertEqual(found.unknown, ("http://e:81/x",) if facts.proxy else ())
            self.assertEqual((found.silence, daemon.asked, found.direct), ("", [address], ("https://a/debian", "HTTPS://c")))
            self.assertIsNotNone(found.lists)
        found = self.gathered(_Daemon(None), AptFacts(wanted=True))
        assert found is not None
        self.assertEqual(found.silence, "no program listens there")

    def test_lists(self) -> None:
        """Lists that everybody may read are well whoever the daemon is; others are a fault, or a doubt where its user is not known."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        self.patch(gathering_apt, "LISTS", str(folder))
        self.patch(gathering_apt, "gather_apt_here", lambda: AptFacts(wanted=True))
        self.patch(gathering_apt, "output_of", self.output)

        def found(user: User | None) -> Folder:
            facts = gather_apt(_Daemon(None), user)
            assert facts is not None
            assert facts.lists is not None
            return facts.lists

        other = User(12345, frozenset())
        self.assertTrue(found(other).missing)
        (folder / "a_dists_b_InRelease").write_text("")
        self.assertTrue(found(None).missing, "it lists no packages")
        lists = folder / "a_dists_b_main_binary-amd64_Packages.lz4"
        lists.write_text("")
        lists.chmod(0o644)
        self.assertEqual([(found(user).problem, found(user).doubt, found(user).missing) for user in (None, other)], [("", "", False)] * 2)
        lists.chmod(0o640)
        self.assertIn("may not read 1 of 1 files", found(other).problem)
        self.assertTrue(found(None).doubt)
        self.assertEqual(found(User(0, frozenset())).problem, "")
