"""Tests for `pacserve.pacsrv.xfer_command`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.xfer_command import Follows, follows, keeps_errors, mended


class XferCommandTests(SynchronousTestCase):
    def test_redirects(self) -> None:
        """curl follows redirects only when it is told to, wget unless it is told not to, aria2c always; of others that is not known."""
        for command, expected in (
            ("/usr/bin/curl -L -C - -f -o %o %u", Follows.YES),
            ("curl -fLC - -o %o %u", Follows.YES),
            ("curl --location --fail -o %o %u", Follows.YES),
            ("curl --location-trusted -o %o %u", Follows.YES),
            ("/usr/bin/curl -C - -f %u -o %o", Follows.NO),
            ("curl -f -oL %u", Follows.NO),
            ("curl -A -L -o %o %u", Follows.NO),
            ("curl -K /etc/curlrc -o %o %u", Follows.UNKNOWN),
            ("/usr/bin/wget --passive-ftp -c -O %o %u", Follows.YES),
            ("wget --max-redirect=0 -O %o %u", Follows.NO),
            ("wget --max-redirect 0 -O %o %u", Follows.NO),
            ("/usr/bin/aria2c -o %o %u", Follows.YES),
            ("/usr/bin/snarf -N %u", Follows.UNKNOWN),
            ("sh -c 'curl -L %u'", Follows.UNKNOWN),
            ("curl 'unbalanced", Follows.NO),
        ):
            self.assertIs(follows(command), expected, command)

    def test_errors(self) -> None:
        """curl keeps the text of an error unless it is told to fail; others do not."""
        for command, kept in (("curl -L -o %o %u", True), ("curl -fL -o %o %u", False), ("curl --fail %u", False), ("wget -O %o %u", False)):
            self.assertEqual(keeps_errors(command), kept, command)

    def test_mended(self) -> None:
        """The line that is proposed keeps what the user wrote, and lacks nothing."""
        for command, line in (
            ("/usr/bin/curl -C - -o %o %u", "XferCommand = /usr/bin/curl -L -f -C - -o %o %u"),
            ("curl -f -o %o %u", "XferCommand = curl -L -f -o %o %u"),
            ("curl -L -o %o %u", "XferCommand = curl -f -L -o %o %u"),
            ("wget --max-redirect=0 -O %o %u", "XferCommand = wget -O %o %u"),
        ):
            self.assertEqual(mended(command), line)
            better = mended(command).removeprefix("XferCommand = ")
            self.assertIs(follows(better), Follows.YES)
            self.assertFalse(keeps_errors(better))

    @given(st.text(max_size=60), st.sampled_from(("curl ", "wget ", "")))
    def test_any_command(self, text: str, program: str) -> None:
        """No command is too odd to be judged."""
        follows(program + text)
        keeps_errors(program + text)
