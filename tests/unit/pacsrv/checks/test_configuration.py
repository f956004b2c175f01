"""Tests for `pacserve.pacsrv.checks.configuration`: each fault is seen, and what is well is left alone."""

from pacserve.pacsrv.checks.configuration import check_signatures, check_xfer_command
from pacserve.pacsrv.facts import Facts
from tests.fakes.statuses import NOW
from tests.unit.pacsrv.checks.case import CheckCase


class ConfigurationTests(CheckCase):
    def test_xfer_command(self) -> None:
        """A command that does not follow redirects, or keeps errors, is wrong, and the line to write is told; of unknown ones it is asked."""
        for command, level in (
            ("", ""),
            ("/usr/bin/curl -C - -f -o %o %u", "wrong"),
            ("/usr/bin/curl -L -o %o %u", "wrong"),
            ("/usr/bin/curl -L -C - -f -o %o %u", "ok"),
            ("/usr/bin/fetch %u", "warning"),
        ):
            self.assertEqual(self.found(check_xfer_command, xfer_command=command), level, command)
        (finding,) = check_xfer_command(Facts(15678, NOW, xfer_command="/usr/bin/curl -C - -f -o %o %u"))
        self.assertIn('"XferCommand = /usr/bin/curl -L -C - -f -o %o %u"', finding.cure)

    def test_signatures(self) -> None:
        """Repositories whose packages may be anybody's are named."""
        for words, level in (({"PackageNever"}, "warning"), ({"PackageRequired", "PackageTrustAll"}, "warning"), ({"PackageRequired"}, "ok")):
            self.assertEqual(self.found(check_signatures, signature_levels={"core": frozenset(words)}), level)
