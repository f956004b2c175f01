"""Tests for `pacserve.app.routes`."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.routes import Fronts, ReportFronts, apt_route, routes
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask, Front
from pacserve.web.routes import Audience, HostHeader, Methods, Route

SECURITY = (Path(__file__).parents[3] / "SECURITY.md").read_text()


class NamedFront(Front):
    """A front that is told apart by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def answer(self, ask: Ask) -> Answer:
        return DocumentAnswer(self.name.encode())


REPORT = ReportFronts(*(NamedFront(field.name) for field in fields(ReportFronts)))
FRONTS = Fronts(NamedFront("pacman"), NamedFront("package"), NamedFront("info"), NamedFront("claim"), NamedFront("fetch"), REPORT)


def table(heading: str) -> list[list[str]]:
    """The rows of the table in SECURITY.md whose first column has this heading."""
    lines = SECURITY[SECURITY.index(f"\n| {heading} |") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines[2:]]


def told() -> dict[str, tuple[str, str, str]]:
    """Methods, audience and Host header by the first path part, as SECURITY.md tells them."""
    return {
        path.removesuffix("/..."): (methods, audience, host)
        for paths, methods, audience, host in table("path")
        for path in re.findall(r"`/([^`]*)`", paths)
    }


def row(route: Route) -> tuple[str, str, str]:
    """The cells that belong to a route."""
    return (route.methods.allowed, route.audience.value, route.host.value)


class RouteTableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.routes = {route.path: route for route in routes(FRONTS)}

    def test_apt(self) -> None:
        """So it does for the port for apt, which takes every path, and says of a tunnel how https sources are shared."""
        route = apt_route(NamedFront("apt"), 9988)
        (cells,) = [cells for path, *cells in table("path") if path.startswith("port 9988")]
        self.assertEqual((tuple(cells), route.rest), (row(route), True))
        self.assertIn("http://localhost:9988/https://HOST/PATH", route.refusal)

    def test_security(self) -> None:
        """SECURITY.md tells every path with its methods, its audience and how the Host header is treated, and no other path."""
        self.assertEqual(told(), {path: row(route) for path, route in self.routes.items()})

    def test_audiences(self) -> None:
        """SECURITY.md says of every audience what it is, and by which option it grows."""
        self.assertEqual([(name, option) for name, _, option in table("audience")], [(one.value, f"`--{one.value} CIDR`") for one in Audience])

    def test_peers(self) -> None:
        """The paths of peers are these four, under any name; everything else is for clients, under names of this host."""
        for path, route in self.routes.items():
            for_peers = path in {"package", "info", "claim", "fetch"}
            self.assertEqual(
                (route.audience, route.host),
                (Audience.PEERS, HostHeader.ANY) if for_peers else (Audience.CLIENTS, HostHeader.CHECKED),
                path,
            )

    def test_changes(self) -> None:
        """Only claims change something, and so are asked by POST alone."""
        self.assertEqual([path for path, route in self.routes.items() if route.methods is Methods.CHANGE], ["claim"])

    def test_fronts(self) -> None:
        """Each path leads to its own front, and every front has a path of its own."""
        names = {path: route.front.name for path, route in self.routes.items() if isinstance(route.front, NamedFront)}
        self.assertEqual(len(routes(FRONTS)), len(fields(Fronts)) - 1 + len(fields(ReportFronts)))
        self.assertEqual((names.pop(""), names.pop("request")), ("page", "pacman"))
        self.assertEqual(names, {path: path for path in set(self.routes) - {"", "request"}})

    def test_nothing_downloaded(self) -> None:
        """Where nothing is downloaded nobody is handed a download."""
        left_out = {route.path for route in routes(FRONTS)} - {route.path for route in routes(replace(FRONTS, fetch=None))}
        self.assertEqual(left_out, {"fetch"})
