"""
The hosts that pacman reaches through a proxy.  Rules only.

The rules are those of libcurl (CURLOPT_NOPROXY(3), libcurl-env(3)), which differ from Python's: `HTTP_PROXY` in upper case is ignored, and a name in
`no_proxy` stands for its subdomains too.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network


def http_proxy(environment: Mapping[str, str]) -> str:
    """Returns the name of the variable that sets a proxy for http; empty where none does."""
    return next((name for name in ("http_proxy", "all_proxy", "ALL_PROXY") if environment.get(name)), "")


def bypassed(host: str, environment: Mapping[str, str]) -> bool:
    """
    Returns whether pacman asks a host without a proxy although there is one.

    Args:
        host: A name or an address without brackets.
    """
    exceptions = no_proxy(environment)
    if exceptions.strip() == "*":
        return True
    host = host.partition("%")[0].rstrip(".").lower()
    return any(_matches(host, item) for item in exceptions.replace(",", " ").split())


def no_proxy(environment: Mapping[str, str]) -> str:
    """Returns the hosts that are excepted; the lower-case variable wins, even when it is empty."""
    return environment.get("no_proxy", environment.get("NO_PROXY", ""))


def _matches(host: str, item: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        name = item.lower().strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ip_network(item.strip("[]"), strict=False)
    except ValueError:
        return False


def with_localhost(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment in which pacman reaches this host without a proxy; unchanged where it already does."""
    changed = dict(environment)
    if http_proxy(environment) and not bypassed("localhost", environment):
        changed["no_proxy"] = ",".join(filter(None, (no_proxy(environment).strip(), "localhost")))
    return changed
