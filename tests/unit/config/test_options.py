"""Tests for `pacserve.config.options`."""

import contextlib
import io
import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve import __version__
from pacserve.config.guide import GUIDE
from pacserve.config.options import default_spool, parse_options
from pacserve.config.settings import Settings
from pacserve.discovery.filters import parse_filter
from pacserve.network.addresses import Endpoint

OPTIONS = (
    *(
        "--bind",
        "--port",
        "--pacman-conf",
        "--cache-dir",
        "--apt",
        "--apt-port",
        "--apt-mirror",
        "--apt-diffs",
        "--pacserver",
        "--host-name",
        "--clients",
        "--peers",
        "--name",
        "--private",
    ),
    *("--multicast", "--multicast-filter", "--multicast-group", "--multicast-port", "--multicast-interval", "--interface"),
    *("--misses", "--hits", "--spool", "--spool-size", "--wan-limit", "--lan-limit", "--mirrors-at-once"),
    *("--state", "--no-history", "--metrics-peers", "--log-level", "--help", "--more-help", "--version"),
)


def run(*arguments: str) -> tuple[Settings | int, str, str]:
    """What a command line gives: settings or an exit status, and what was written to stdout and stderr."""
    out, error = io.StringIO(), io.StringIO()
    result: Settings | int
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            result = parse_options(arguments)
        except SystemExit as ended:
            assert isinstance(ended.code, int)
            result = ended.code
    return result, out.getvalue(), error.getvalue()


class GoodTests(SynchronousTestCase):
    def settings(self, *arguments: str) -> Settings:
        """The settings of a command line that is well."""
        result, out, error = run(*arguments)
        assert isinstance(result, Settings), error
        self.assertEqual((out, error), ("", ""))
        return result

    def test_defaults(self) -> None:
        """Without options everything is as most people want it."""
        groups = (ip_address("224.0.0.1"), ip_address("ff02::1"))
        self.assertEqual(self.settings(), Settings((), 15678, "/etc/pacman.conf", (), (), (), (), "info", False, (), groups, 15679, 60.0, ()))

    def test_pacman_conf(self) -> None:
        """A pacman.conf that the user names must be there, the default one need not."""
        self.assertFalse(self.settings().pacman_required)
        for path in ("/etc/other.conf", "/etc/pacman.conf"):
            settings = self.settings("--pacman-conf", path)
            self.assertEqual((settings.pacman_conf, settings.pacman_required), (path, True))

    def test_names(self) -> None:
        """This host may have further names, whatever their case."""
        self.assertEqual(self.settings("--name", "Pacserve.LAN.", "--name", "atlas").names, ("pacserve.lan", "atlas"))

    def test_host_name(self) -> None:
        """The name that other hosts are told is that of the machine, another one, or none."""
        told = [self.settings(*arguments).host_name for arguments in ((), ("--host-name", "NAS"), ("--host-name", ""), ("--host-name=",))]
        self.assertEqual(told, [None, "nas", "", ""])

    def test_no_history(self) -> None:
        """A history is kept unless the user wants none."""
        self.assertEqual([self.settings(*arguments).history for arguments in ((), ("--no-history",))], [True, False])

    def test_apt(self) -> None:
        """apt is answered on request only; its port, its further mirrors and the differences can be chosen."""
        plain = self.settings()
        self.assertEqual((plain.apt, plain.apt_port, plain.apt_mirrors, plain.apt_diffs), (False, 9988, (), True))
        options = ["--apt", "--apt-port", "9989", "--apt-diffs", "no"]
        mirrors = ["--apt-mirror", "HTTPS://Example.org/debian/", "--apt-mirror", "http://mirror.example:8080"]
        chosen = self.settings(*options, *mirrors)
        self.assertEqual((chosen.apt, chosen.apt_port, chosen.apt_diffs), (True, 9989, False))
        self.assertEqual(chosen.apt_mirrors, ("https://example.org/debian", "http://mirror.example:8080"))

    def test_private(self) -> None:
        """Repositories are kept from the LAN by name; what can be none is refused."""
        self.assertEqual(self.settings("--private", "ours", "--private", "my.repo", "--private", "ours").private, ("ours", "my.repo"))

    def test_endpoints(self) -> None:
        """Peers are named by name, IPv4 and IPv6 address, the port may be left out, and several may be named."""
        for text, endpoint in (
            ("nas.lan", Endpoint("nas.lan", 15678)),
            ("NAS.lan.:1", Endpoint("nas.lan", 1)),
            ("10.0.0.3", Endpoint("10.0.0.3", 15678)),
            ("10.0.0.3:65535", Endpoint("10.0.0.3", 65535)),
            ("[fd77::b]:8080", Endpoint("fd77::b", 8080)),
            ("[FD77:0::B]", Endpoint("fd77::b", 15678)),
            ("fd77::b", Endpoint("fd77::b", 15678)),
            ("[fe80::1%eth0]:8080", Endpoint("fe80::1%eth0", 8080)),
            ("[::ffff:10.0.0.3]", Endpoint("10.0.0.3", 15678)),
        ):
            self.assertEqual(self.settings("--pacserver", text).pacservers, (endpoint,), text)

    def test_repeatable(self) -> None:
        """Options that may be repeated keep their order, and what is named twice counts once."""
        settings = self.settings(
            *("--bind", "::1", "--bind", "127.0.0.1", "--cache-dir", "/b", "--cache-dir", "/a", "--cache-dir", "/b"),
            *("--pacserver", "b", "--pacserver", "a", "--pacserver", "b:15678"),
            *("--clients", "10.0.0.0/8", "--clients", "fd00::/8", "--peers", "192.0.2.1", "--peers", "2001:db8::/32"),
        )
        self.assertEqual(settings.bind, ("::1", "127.0.0.1"))
        self.assertEqual(settings.cache_dirs, ("/b", "/a"))
        self.assertEqual(settings.pacservers, (Endpoint("b", 15678), Endpoint("a", 15678)))
        self.assertEqual(settings.clients, (ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
        self.assertEqual(settings.peers, (ip_network("192.0.2.1"), ip_network("2001:db8::/32")))

    def test_others(self) -> None:
        """The other options take their values, paths made absolute."""
        settings = self.settings("--port=1", "--pacman-conf", "x/pacman.conf", "--log-level", "debug")
        self.assertEqual((settings.port, settings.pacman_conf, settings.log_level), (1, str(Path.cwd() / "x/pacman.conf"), "debug"))

    def test_mirrors_at_once(self) -> None:
        """A file comes from three mirrors at the same time, from another number up to sixteen, or from one after the other."""
        numbers = [self.settings(*arguments).mirrors_at_once for arguments in ((), ("--mirrors-at-once=1",), ("--mirrors-at-once", "16"))]
        self.assertEqual(numbers, [3, 1, 16])

    def test_multicast(self) -> None:
        """One word is enough to find the others."""
        settings = self.settings("--multicast")
        self.assertEqual(settings, Settings(multicast=True))

    def test_multicast_filters(self) -> None:
        """Filters keep their order, those of both kinds among each other, and are taken without --multicast as well."""
        texts = (r"x:^10\.0\.0\.7:", r"i:^10\.0\.0\.", "x:fd77", r"i:^\[fd77:")
        settings = self.settings(*(f"--multicast-filter={text}" for text in (*texts, texts[0])))
        self.assertEqual(settings.multicast_filters, tuple(map(parse_filter, texts)))
        self.assertFalse(settings.multicast)

    def test_multicast_groups(self) -> None:
        """Groups that are named replace the usual ones, in their order."""
        for texts in (("239.1.2.3",), ("ff05::1234", "224.0.0.251"), ("ff02::2", "224.0.0.1")):
            settings = self.settings(*(f"--multicast-group={text}" for text in texts))
            self.assertEqual(settings.multicast_groups, tuple(map(ip_address, texts)))

    def test_multicast_others(self) -> None:
        """Port, interval and interfaces take their values up to their bounds."""
        for text, seconds in (("1", 1.0), ("3600", 3600.0), ("2.5", 2.5), ("60", 60.0)):
            self.assertEqual(self.settings("--multicast-interval", text).multicast_interval, seconds)
        for port in (1, 65535):
            self.assertEqual(self.settings("--multicast-port", str(port)).multicast_port, port)
        names = ("eth0", "br-lan", "enp3s0f1np1", "x" * 15, "vlan.7", "wlan0@x", "...")
        self.assertEqual(self.settings(*(f"--interface={name}" for name in (*names, "eth0"))).interfaces, names)


class SpoolTests(SynchronousTestCase):
    def test_default(self) -> None:
        """Downloads are kept where the service manager says, in the system's cache, or in the user's own; never in a relative path."""
        for environment, root, spool in (
            ({"CACHE_DIRECTORY": "/var/cache/pacserve:/var/cache/other", "HOME": "/home/me"}, False, "/var/cache/pacserve"),
            ({"HOME": "/root"}, True, "/var/cache/pacserve"),
            ({"HOME": "/home/me"}, False, "/home/me/.cache/pacserve"),
            ({"HOME": "/home/me", "XDG_CACHE_HOME": "/scratch"}, False, "/scratch/pacserve"),
            ({"HOME": "/home/me", "XDG_CACHE_HOME": "relative"}, False, "/var/cache/pacserve"),
            ({}, False, "/var/cache/pacserve"),
        ):
            self.assertEqual(default_spool(environment, root=root), spool, environment)


class WrongTests(SynchronousTestCase):
    def wrong(self, *arguments: str) -> str:
        """The one line that a wrong command line gets."""
        result, out, error = run(*arguments)
        self.assertEqual((result, out), (2, ""), arguments)
        self.assertEqual(len(error.splitlines()), 1, error)
        self.assertTrue(error.startswith("pacserve: ") and error.endswith("(see pacserve --help)\n"), error)
        return error

    def test_wrong(self) -> None:
        """Every wrong value gets exit status 2 and one line that says what is wrong and what would be right."""
        cases: Sequence[tuple[str, Sequence[str], str]] = (
            ("--port", ("0", "65536", "-1", "x", "", "1e3", " 80", "\u0661", "000001999999", "9" * 5000, "80\n"), "a number from 1 to 65535"),
            ("--bind", ("", "localhost", "10.0.0", "10.0.0.0/8", "[::1]", "1.2.3.4:5", "*"), "such as 127.0.0.1"),
            ("--clients", ("", "x", "10.0.0.1/33", "10.0.0.0/8/8", "fd00::/129"), "CIDR such as"),
            ("--peers", ("10.0.0.1/8",), "10.0.0.0/8 is the network"),
            ("--pacserver", ("", "a b", "http://a", "a:b", "a:123456", "[fd77::b", "-a", "a/b", "user@a", "a\nb"), "write for example"),
            ("--pacserver", ("a:0", "a:65536"), "from 1 to 65535"),
            ("--pacserver", ("10.0.0.256", "1"), "no IPv4 address"),
            ("--pacserver", ("[10.0.0.1]", "[x::1]", "1:2:3:4"), "no IPv6 address"),
            ("--cache-dir", ("", "a\0b"), "a path is missing"),
            ("--pacman-conf", ("", "\0"), "a path is missing"),
            ("--multicast-filter", ("", "10.0.0.3", "I:x", "y:x", "a\nb"), "does not begin with i: or x:"),
            ("--multicast-filter", ("i:10.(", "x:(a\n", "x:("), "<-- here"),
            ("--multicast-filter", ("i:*  %s%(x)s",), "at position 1 of the expression: *<-- here"),
            (
                "--multicast-group",
                (
                    "",
                    "10.0.0.1",
                    "224.0.0",
                    "240.0.0.1",
                    "fe02::1",
                    "ff02::1%eth0",
                    "::ffff:224.0.0.1",
                    "[ff02::1]",
                    "224.0.0.0/4",
                    "all",
                    "224.0.0.1:1",
                ),
                "such as 224.0.0.1, or ff00::/8, such as ff02::1",
            ),
            ("--multicast-port", ("0", "65536", "x", ""), "a number from 1 to 65535"),
            (
                "--multicast-interval",
                ("", "0", "0.9", "3600.5", "3601", "-1", "nan", "inf", "1e2", " 60", "60\n", "\u0661\u0661", "60s"),
                "from 1 to 3600",
            ),
            ("--interface", ("", "x" * 16, "\u00e9" * 8, ".", "..", "a/b", "a b", "eth0:1", "a%b", "a\nb", "\0", "a\x1bb", "\ud800"), "such as eth0"),
            ("--host-name", ("a b", "localhost", "10.0.0.3", "n" * 65, "a\nb", "\u00e9"), "write for example nas"),
            ("--apt-mirror", ("", "mirror.example", "ftp://mirror.example", "http://a:b@mirror.example", "http://mirror.example/?x"), "apt"),
            ("--private", ("", "a/b", "options", "a\nb"), "pacman.conf"),
            ("--misses", ("", "Fetch", "relay"), "fetch"),
            ("--hits", ("", "fetch"), "relay"),
            ("--spool", ("", "a\0b"), "a path is missing"),
            ("--spool-size", ("", "0", "-1", "5T", "5 G", "1.5G", "0G", "9" * 13), "5G"),
            ("--wan-limit", ("", "0", "fast", "1e6"), "500k"),
            ("--wan-limit", ("1", "63k", "65535"), "64k"),
            ("--lan-limit", ("1", "1k"), "64k"),
            ("--mirrors-at-once", ("", "0", "-1", "17", "100", "1.5", "\u0663", "three", " 3"), "from 1, for one after the other, to 16"),
            ("--log-level", ("loud", "", "in\nfo"), "debug"),
        )
        for option, values, right in cases:
            for value in values:
                line = self.wrong(f"{option}={value}")
                self.assertIn(option, line)
                self.assertIn(right, line)

    def test_multicast_port(self) -> None:
        """Who announces itself does so at a port that peers use."""
        self.assertIn("--port", self.wrong("--multicast", "--port=1023"))
        self.assertTrue(parse_options(["--multicast", "--port=1024"]).multicast)
        self.assertEqual(parse_options(["--port=80"]).port, 80)

    def test_usage(self) -> None:
        """Unknown options, abbreviations, left-over words and missing values are usage errors, whatever they contain."""
        for arguments in (("--nonsense",), ("--por", "1"), ("word",), ("two\nlines\r\n",), ("--port",), ("--log-level",), ("-x",), ("--help=1",)):
            self.wrong(*arguments)

    def test_misspelt(self) -> None:
        """An option or value that is misspelt is told with the right one, and a command with the program that has commands."""
        self.assertIn("there is no option '--multicst', did you mean --multicast?", self.wrong("--multicst"))
        self.assertIn("a value is missing: auto, redirect, fetch", self.wrong("--misses"))
        self.assertIn("did you mean fetch?", self.wrong("--misses", "fech"))
        self.assertIn("pacsrv", self.wrong("status"))

    @given(st.sampled_from([option for option in OPTIONS if "help" not in option]), st.text(max_size=30))
    def test_anything(self, option: str, value: str) -> None:
        """Whatever a value is, the result is settings, or one line and exit status 2."""
        result, _, error = run(f"{option}={value}")
        if not isinstance(result, Settings):
            self.assertEqual((result, len(error.splitlines())), (2, 1))


class HelpTests(SynchronousTestCase):
    def test_help(self) -> None:
        """--help goes to stdout, names every option with a line of its own, and shows the line for the mirrorlist."""
        for option in ("--help", "-h"):
            result, out, error = run(option)
            self.assertEqual((result, error), (0, ""))
            for name in OPTIONS:
                self.assertRegex(out, rf"(?m)^  (?:-h, )?{name}\b")
            self.assertEqual(set(re.findall(r"--[a-z][a-z-]*", out)), set(OPTIONS))
            self.assertIn("Server = http://localhost:15678/request/$repo/$arch", out)
            self.assertNotIn("%(", out)

    def test_groups(self) -> None:
        """The options stand in groups."""
        out = run("--help")[1]
        self.assertEqual(
            re.findall(r"(?m)^([a-z ]+):$", out),
            ["listening", "pacman", "apt", "other pacservers", "finding each other", "who may ask", "delivering", "other"],
        )

    def test_version(self) -> None:
        """--version goes to stdout."""
        self.assertEqual(run("--version"), (0, f"pacserve {__version__}\n", ""))

    def test_more_help(self) -> None:
        """--more-help goes to stdout, whatever else is asked for."""
        self.assertEqual(run("--more-help"), (0, GUIDE, ""))
        self.assertEqual(run("--port", "1", "--more-help"), (0, GUIDE, ""))
