"""Tests for `pacserve.pacsrv.proxies`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.proxies import bypassed, http_proxy, with_localhost


class ProxiesTests(SynchronousTestCase):
    def test_variables(self) -> None:
        """The variables that libcurl reads for http count, and no others: HTTP_PROXY in upper case is not one."""
        self.assertEqual(http_proxy({"http_proxy": "p", "ALL_PROXY": "q"}), "http_proxy")
        self.assertEqual(http_proxy({"ALL_PROXY": "q"}), "ALL_PROXY")
        self.assertEqual(http_proxy({"HTTP_PROXY": "p", "https_proxy": "q", "http_proxy": ""}), "")

    def test_bypassed(self) -> None:
        """Names stand for their subdomains, networks for their addresses, a star for everything."""
        for host, exceptions, expected in (
            ("localhost", "localhost", True),
            ("localhost", "example.org, LOCALHOST.", True),
            ("localhost", "", False),
            ("localhost", "127.0.0.1", False),
            ("localhost", "*", True),
            ("nas.lan", ".lan", True),
            ("nas.lan", "lan", True),
            ("vlan", "lan", False),
            ("10.0.0.3", "10.0.0.0/24", True),
            ("10.0.1.3", "10.0.0.0/24", False),
            ("10.0.0.3", "10.0.0.3", True),
            ("fd77::b", "[fd77::b]", True),
            ("fe80::1%eth0", "fe80::/10", True),
            ("10.0.0.3", "10.0.0", False),
        ):
            self.assertEqual(bypassed(host, {"no_proxy": exceptions}), expected, (host, exceptions))
        self.assertTrue(bypassed("localhost", {"NO_PROXY": "localhost"}))
        self.assertFalse(bypassed("localhost", {"NO_PROXY": "localhost", "no_proxy": ""}))

    def test_with_localhost(self) -> None:
        """localhost is added to what is excepted already, only where there is a proxy, and only once."""
        self.assertEqual(with_localhost({"http_proxy": "p", "NO_PROXY": "a,b"})["no_proxy"], "a,b,localhost")
        for environment in ({"A": "b"}, {"http_proxy": "p", "no_proxy": "localhost"}, {"HTTP_PROXY": "p"}):
            self.assertEqual(with_localhost(environment), environment)

    @given(st.text(), st.text())
    def test_anything(self, host: str, exceptions: str) -> None:
        """Odd hosts and lists are no error, and what was added is found."""
        bypassed(host, {"no_proxy": exceptions})
        self.assertTrue(bypassed("localhost", with_localhost({"http_proxy": "p", "no_proxy": exceptions})))
