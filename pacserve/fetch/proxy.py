"""Proxies from the environment, read as Python's urllib does: of two variables that differ only in case, the lower-case one wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from pacserve.fetch.urls import URL, basic_authorization, parse_url

_USED = ("http", "https", "all")


@dataclass(frozen=True, slots=True)
class Proxy:
    """
    An HTTP proxy.

    Attributes:
        authorization: The value of Proxy-Authorization; None where the proxy's URL has no user.
    """

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Proxies:
    """
    Chooses the proxy for each URL.

    Attributes:
        complaints: One line for each proxy of the environment that can't be used; URLs that need it are fetched without a proxy.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        values = _proxy_variables(environment)
        self._bypass = {"no": values["no"]} if "no" in values else {}
        self._by_scheme: dict[str, Proxy] = {}
        complaints = []
        for scheme in _USED:
            if scheme not in values:
                continue
            try:
                self._by_scheme[scheme] = _parse(values[scheme])
            except ValueError as error:
                complaints.append(f"{scheme}_proxy can't be used: {error}; fetching without it")
        self.complaints = tuple(complaints)

    def __str__(self) -> str:
        return ", ".join(f"{scheme}_proxy {proxy}" for scheme, proxy in self._by_scheme.items())

    def choose(self, url: URL) -> Proxy | None:
        """Returns the proxy for a URL; None to connect directly to its host."""
        proxy = self._by_scheme.get(url.scheme) or self._by_scheme.get("all")
        if proxy is None or ("no" in self._bypass and proxy_bypass_environment(f"{url.host}:{url.port}", self._bypass)):
            return None
        return proxy


def _proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Returns the values of the proxy variables by scheme; an empty lower-case variable cancels the upper-case one.

    Under CGI, HTTP_PROXY is the client's `Proxy` header (CVE-2016-1000110), so it is ignored where REQUEST_METHOD is set.
    """
    found: dict[str, str] = {}
    for name, value in environment.items():
        if name.lower().endswith("_proxy") and value:
            found[name[:-6].lower()] = value
    if "REQUEST_METHOD" in environment:
        found.pop("http", None)
    for name, value in environment.items():
        if name.endswith("_proxy"):
            scheme = name[:-6].lower()
            if value:
                found[scheme] = value
            else:
                found.pop(scheme, None)
    return found


def _parse(text: str) -> Proxy:
    """
    Reads the URL of a proxy.

    Raises:
        ValueError: It can't be used; the message does not repeat the URL, since it may hold a password.
    """
    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower() != "http":
        raise ValueError("only http:// proxies are supported")
    url = parse_url(text if separator else f"http://{text}")
    return Proxy(url.host, url.port, basic_authorization(url.userinfo) if url.userinfo else None)
