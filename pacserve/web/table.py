"""The table of routes, prepared for being looked up with each request: which route a request takes, and whether that allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pacserve.errors import RequestError
from pacserve.http.request import authority_of, path_of, query_of
from pacserve.network.addresses import IPAddress
from pacserve.web.admission import AccessRules
from pacserve.web.front import Ask, Front
from pacserve.web.routes import HostHeader, Route


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A route, prepared.

    Attributes:
        methods: The names of the allowed methods, by what a request has.
        admits: Returns whether an address is of the route's audience.
        host: Whether a request must name this host.
        looks_ahead: True if the front has a use for requests that wait.
    """

    route: Route
    methods: Mapping[bytes, str]
    admits: Callable[[IPAddress], bool]
    host: HostHeader
    looks_ahead: bool


class RouteTable:
    """
    Finds the route of a request by the first part of its path.

    Attributes:
        looks_ahead: True if any front has a use for requests that wait.
    """

    def __init__(self, routes: Iterable[Route], rules: AccessRules) -> None:
        """
        Prepares the routes.

        Args:
            routes: Each with a path of its own, and at most one for the rest.
            rules: The audiences, and the names of this host, that the routes refer to.
        """
        entries = [_prepared(route, rules) for route in routes]
        self._entries = {entry.route.path: entry for entry in entries if not entry.route.rest}
        self._rest = next((entry for entry in entries if entry.route.rest), None)
        self._hosts = rules.hosts
        self.looks_ahead = any(entry.looks_ahead for entry in entries)

    def find(self, method: bytes, parts: tuple[str, ...] | None) -> Entry:
        """
        Returns the route of a request.

        Args:
            parts: Those of its path; None where its target is none.

        Raises:
            RequestError: 404, there is none.
        """
        entry = self._rest if parts is None else self._entries.get(parts[0], self._rest)
        if entry is None or (parts is None and method in entry.methods):
            raise RequestError(404, "there is nothing here")
        return entry

    def admit(
        self,
        entry: Entry,
        method: bytes,
        target: bytes,
        parts: tuple[str, ...] | None,
        client: IPAddress,
        header: Callable[[str], str | None],
    ) -> Ask:
        """
        Returns what the front of a route is asked by a request.

        Args:
            parts: Those of the target's path; None where it is none.
            header: Returns the value of a request header, None where there is none.

        Raises:
            RequestError: 403, 405 or 421, the route does not allow it.
        """
        name = entry.methods.get(method)
        if name is None or parts is None:
            raise RequestError(405, entry.route.refusal or f"only {' and '.join(entry.route.methods.value)} can be used here")
        if not entry.admits(client):
            raise RequestError(403, f"{client} is not answered here")
        authority = authority_of(target)
        if entry.host is HostHeader.CHECKED or (entry.host is HostHeader.ORIGIN and authority is None):
            self._hosts.check(header("Host") if authority is None else authority, client)
        query = query_of(target) if b"?" in target else ""
        if entry is self._rest:
            return Ask(name, parts, client, header, query, authority, path_of(target))
        return Ask(name, parts[1:], client, header, query, authority)


def _prepared(route: Route, rules: AccessRules) -> Entry:
    methods = {method.encode("ascii"): method for method in route.methods.value}
    looks_ahead = type(route.front).ahead is not Front.ahead
    return Entry(route, methods, rules.admission(route.audience).admits, route.host, looks_ahead)
