"""Tests for `pacserve.pacsrv.presentation`, `pacserve.pacsrv.presentation` and `pacserve.pacsrv.layout`: what people see of a daemon."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.layout import Screen, bar, has_colours, table
from pacserve.pacsrv.presentation import show_status, show_why
from pacserve.pacsrv.text import width
from pacserve.report.status import AptStatus, FindingStatus, MirrorStatus, Record, SpoolStatus, TransferStatus, UnfinishedStatus
from pacserve.report.why import Reason, Why
from pacserve.web.origins import Share
from tests.fakes.statuses import NOW, peer, status

HOSTILE = "\x1b]0;owned\x07\x1b[2J\n"
WHY = Why(
    "core",
    "zlib-1-1-any.pkg.tar.zst",
    95872,
    (Reason("cache", "no", "not held"), Reason("peer 10.0.0.3:15678", "used", "lists it"), Reason("mirror https://a", "next", "")),
    (Record(NOW - 60, "127.0.0.1", "/request/core/x86_64/zlib", 307, "peer 10.0.0.3:15678", 95872, 0.002, True, True),),
)


class StatusTests(SynchronousTestCase):
    def test_everything_is_there(self) -> None:
        """Host, peers, mirrors, traffic and running downloads are told, with progress, rate and the time that is left."""
        transfer = TransferStatus("big-1-1-any.pkg.tar.zst", "core", "mirror https://mirror.example", 25 << 20, 100 << 20, 5.0, True)
        text = "\n".join(show_status(status(peer(host_name="nas"), transfers=(transfer,)), NOW, Screen()))
        for part in (
            "h1: pacserve 0.1.0",
            "up 1 h",
            "10.0.0.3:15678",
            "10.0.0.3:15678  nas   multicast ",
            "0.7 ms",
            "https://mirror.example",
            "saved from the WAN: 51.8 KiB",
        ):
            self.assertIn(part, text)
        self.assertIn("[#####---------------]  25%", text)
        self.assertIn("5.0 MiB/s  15 s", text)

    def test_apt(self) -> None:
        """The front for apt is told with its mirrors; of a pacman that is not there nothing is."""
        apt = AptStatus(9988, (MirrorStatus("http://deb.example", ("/debian", "/debian-security"), "slow", 30.0, None),), 1, 63_440, 12, 2)
        both = show_status(dataclasses.replace(status(), apt=apt), NOW, Screen())
        self.assertIn("answers apt on port 9988: 1 list known, of 63,440 files, offers 12 archives of apt's, keeps 2 releases", both)
        self.assertIn("Mirrors of pacman", both)
        self.assertIn("Mirrors of apt", both)
        self.assertTrue(any(line.endswith("/debian, /debian-security") for line in both))
        alone = show_status(dataclasses.replace(status(no_pacman="there is no /etc/pacman.conf"), mirrors=(), apt=apt), NOW, Screen())
        self.assertNotIn("pacman", "".join(alone))
        self.assertNotIn("misses", "".join(alone))
        self.assertNotIn("apt", "".join(show_status(status(), NOW, Screen())))

    def test_unfinished(self) -> None:
        """Downloads that are to be gone on with are told, and where there are none that is not worth a line."""
        unfinished = (UnfinishedStatus("big-1-1-any.pkg.tar.zst", 25 << 20, 100 << 20, NOW - 7200), UnfinishedStatus(HOSTILE, 0, 0, NOW))
        spool = SpoolStatus("/var/cache/pacserve", 2, 1 << 20, 5 << 30, unfinished)
        lines = show_status(dataclasses.replace(status(), spool=spool), NOW, Screen())
        at = lines.index("Unfinished (goes on when it is asked for)")
        self.assertIn("[#####---------------]  25%  25.0 MiB  100 MiB  2 h", lines[at + 2])
        self.assertNotIn("\x1b", "".join(lines))
        self.assertNotIn("Unfinished", "\n".join(show_status(status(), NOW, Screen())))

    def test_health(self) -> None:
        """Whether all is well is said as the page says it: in one line, with each trouble and what to do about it; and the share that was saved."""
        well = dataclasses.replace(status(), findings=())
        self.assertIn("All is well", show_status(well, NOW, Screen()))
        finding = FindingStatus("disk", "warning", "1.2 GiB left", "make room")
        lines = show_status(dataclasses.replace(well, findings=(finding,)), NOW, Screen())
        at = lines.index("1 warning")
        self.assertEqual(lines[at + 1 : at + 3], ["  disk: 1.2 GiB left", "  -> make room"])
        self.assertIn("saved from the WAN: 51.8 KiB (100% of 51.8 KiB)", "\n".join(lines))

    def test_without_pacman(self) -> None:
        """A host without pacman says so in one line, and one with it says nothing."""
        lines = show_status(status(no_pacman="there is no /etc/pacman.conf"), NOW, Screen())
        self.assertIn("no pacman here: there is no /etc/pacman.conf; package files of peers are not used", lines)
        self.assertNotIn("no pacman", "\n".join(show_status(status(), NOW, Screen())))

    def test_nothing_known(self) -> None:
        """A download without size or time, and a host without peers, are told without a number made up."""
        transfer = TransferStatus("x", "core", "", 5, None, 0.0, False)
        text = "\n".join(show_status(status(transfers=(transfer,), multicast=False), NOW, Screen()))
        self.assertIn("x (unverified)  -", text)
        self.assertIn("none known", text)
        self.assertIn("multicast: off", text)

    def test_shares(self) -> None:
        """A download from several hosts says what each of them gave so far."""
        shares = (Share("mirror https://a", 20 << 20), Share("mirror https://b", 5 << 20))
        transfer = TransferStatus("big-1-1-any.pkg.tar.zst", "core", "mirror https://b", 25 << 20, 100 << 20, 5.0, True, shares)
        text = "\n".join(show_status(status(transfers=(transfer,)), NOW, Screen()))
        self.assertRegex(text, r"25\.0 MiB +5\.0 MiB/s +15 s +2 hosts\n +20\.0 MiB +mirror https://a\n +5\.0 MiB +mirror https://b\Z")
        alone = dataclasses.replace(transfer, shares=shares[1:])
        self.assertTrue(show_status(status(transfers=(alone,)), NOW, Screen())[-1].endswith("15 s  mirror https://b"))

    def test_found_by(self) -> None:
        """A peer that the user named is told by the option, with the name where that is no address; a name that it does not tell is a dash."""
        named = [peer(name="nas.lan:15678", discovered=False), peer(name="10.0.0.3:15678", discovered=False)]
        text = "\n".join(show_status(status(*named), NOW, Screen()))
        self.assertRegex(text, r"10\.0\.0\.3:15678 +- +--pacserver nas\.lan:15678 +known")
        self.assertRegex(text, r"10\.0\.0\.3:15678 +- +--pacserver +known")

    @given(st.integers(20, 200))
    def test_fits(self, columns: int) -> None:
        """Tables fit the terminal, as long as it is wide enough for their narrowest form."""
        lines = show_status(status(peer(reason="r" * 300, name="nas.lan")), NOW, Screen(columns))
        self.assertLessEqual(max(map(width, lines)), max(columns, 10 * 4 + 9 * 2))

    def test_hostile(self) -> None:
        """Nothing that another host says reaches the terminal as an escape; only our own colours do."""
        hostile = peer(address=HOSTILE, name=HOSTILE, state=HOSTILE, reason=HOSTILE, host_name=HOSTILE)
        transfers = (TransferStatus(HOSTILE, HOSTILE, HOSTILE, 1, 2, 1.0, True),)
        findings = (FindingStatus(HOSTILE, HOSTILE, HOSTILE, HOSTILE),)
        lines = show_status(dataclasses.replace(status(hostile, transfers=transfers, name=HOSTILE), findings=findings), NOW, Screen(200))
        self.assertTrue(all(line.isprintable() for line in lines))
        why = Why(HOSTILE, HOSTILE, None, (Reason(HOSTILE, HOSTILE, HOSTILE),), (Record(NOW, HOSTILE, HOSTILE, 200, HOSTILE, None, 0, False, True),))
        self.assertTrue(all(line.isprintable() for line in show_why(why, NOW, Screen(200))))

    def test_colours(self) -> None:
        """Colours are for terminals, and NO_COLOR takes them away."""
        self.assertIn("\x1b[32mknown\x1b[0m", "\n".join(show_status(status(peer()), NOW, Screen(200, colours=True))))
        self.assertTrue(has_colours({"TERM": "xterm"}, terminal=True))
        for environment, terminal in (({"TERM": "xterm"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, True), ({"TERM": "dumb"}, True), ({}, True)):
            self.assertFalse(has_colours(environment, terminal=terminal))


class WhyTests(SynchronousTestCase):
    def test_why(self) -> None:
        """Each candidate has its verdict and reason, and the last request says where it came from."""
        text = "\n".join(show_why(WHY, NOW, Screen()))
        for pattern in (
            r"from here +peer 10.0.0.3:15678 +lists it",
            r"not +cache +not held",
            r"then +mirror",
            r"1 min 00 s ago +127.0.0.1 +307, sent there",
        ):
            self.assertRegex(text, pattern)

    def test_why_of_apt(self) -> None:
        """A file of apt is told by its label, and the name under which it is shared; of two package systems one comes after the other."""
        url = "http://deb.example/debian"
        zlib = Why(url, "zlib1g_1.2_amd64", 86684, (Reason("mirror", "used", "passed on"),), (), "apt", f"zlib1g_1.2_amd64@{'0' * 64}.blob")
        lines = show_why(zlib, NOW, Screen())
        self.assertEqual(lines[:2], [f"zlib1g_1.2_amd64 ({url}; 84.7 KiB as the lists of apt state)", f"shared as {zlib.shared_as}"])
        both = show_why(dataclasses.replace(WHY, others=(zlib,)), NOW, Screen())
        self.assertEqual(both, [*show_why(WHY, NOW, Screen()), "", *lines])
        nowhere = Why("", "x", None, (Reason("mirror http://a", "no", "no source"),), (), "apt")
        self.assertIn("apt would be told that it is not answered here", show_why(nowhere, NOW, Screen()))

    def test_shares(self) -> None:
        """A file that several hosts gave is told with what each of them gave; an answer that went wrong names who was asked, as before."""
        origin = "mirrors https://a 41943040 bytes, https://b 20971520 bytes, peer 10.0.0.3:15678 1024 bytes, downloaded"
        record = Record(NOW - 60, "127.0.0.1", "/request/core/x86_64/zlib", 200, origin, 62915584, 5.0, False, True)
        text = "\n".join(show_why(dataclasses.replace(WHY, last=(record,)), NOW, Screen()))
        self.assertRegex(text, r"200 +mirrors, downloaded +60\.0 MiB\n +mirror https://a +40\.0 MiB\n +mirror https://b +20\.0 MiB\n")
        self.assertRegex(text, r"\n +peer 10\.0\.0\.3:15678 +1\.0 KiB\Z")
        self.assertIn(f"  {origin}  ", "\n".join(show_why(dataclasses.replace(WHY, last=(dataclasses.replace(record, status=504),)), NOW, Screen())))

    def test_nowhere(self) -> None:
        """A file that nobody has is told as such."""
        text = "\n".join(show_why(Why("core", "x", None, (), ()), NOW, Screen()))
        self.assertIn("told that no host has it", text)
        self.assertIn("has not been asked for", text)


class LayoutTests(SynchronousTestCase):
    def test_bar(self) -> None:
        """A share out of bounds fills or empties the bar, and no more."""
        self.assertEqual([bar(share, 4) for share in (-1, 0, 0.5, 1, 7)], ["[----]", "[----]", "[##--]", "[####]", "[####]"])

    def test_wide_signs(self) -> None:
        """Columns stay in line below signs of two columns."""
        lines = table(Screen(), ("A", "B"), [("日本", "x"), ("ab", "x")])
        self.assertEqual({width(line.rpartition("x")[0]) for line in lines[1:]}, {6})
