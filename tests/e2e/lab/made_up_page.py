"""The status page of a daemon that is made up, served for a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pacserve.network.addresses import IPAddress, LocalAddresses
from tests.e2e.lab.namespace import wait_until

PEERS = 30
_ROOT = Path(__file__).parents[3]
# Seconds: two busy cores take their time.
_START = 20.0


class Loopback(LocalAddresses):
    """A machine without a network."""

    def owns(self, address: IPAddress) -> bool:
        return address.is_loopback

    def attached(self, address: IPAddress) -> bool:
        return False


def serve(port_file: Path, *, hostile: bool, peers: int) -> None:
    """
    Serves the page of a made-up daemon, whose download goes on, until the process is ended.

    Args:
        hostile: Whatever other hosts call themselves or their files is an attack.
        peers: How many there are.
    """
    from twisted.internet import reactor as installed  # noqa: PLC0415

    from pacserve.fronts.page import EventsFront, PageFront, SearchFront, StaticFront, watched  # noqa: PLC0415
    from pacserve.page.found import Found  # noqa: PLC0415
    from pacserve.report.status import FindingStatus, Status  # noqa: PLC0415
    from pacserve.web.admission import AccessRules, ClientAdmission  # noqa: PLC0415
    from pacserve.web.bodies.events import Events  # noqa: PLC0415
    from pacserve.web.hosts import Hosts  # noqa: PLC0415
    from pacserve.web.origins import Share  # noqa: PLC0415
    from pacserve.web.router import Router  # noqa: PLC0415
    from pacserve.web.routes import Audience, HostHeader, Methods, Route  # noqa: PLC0415
    from pacserve.web.server.site import Site  # noqa: PLC0415
    from tests.unit.page.made_up import HOSTILE, MIB, foreign_record, peer, record, status, transfer  # noqa: PLC0415

    reactor: Any = installed
    wall, began = reactor.seconds, reactor.seconds()

    async def now() -> Status:
        done = round(45 + 6 * (wall() - began)) % 140 * MIB
        shown = status(peers, done, wall())
        if not hostile:
            return shown
        return replace(
            shown,
            host=replace(shown.host, name=HOSTILE),
            peers=(replace(peer(0), address=HOSTILE, name=HOSTILE, host_name=HOSTILE, reason=HOSTILE, state="dead"),),
            mirrors=(replace(shown.mirrors[0], url=HOSTILE, repositories=(HOSTILE,), state=HOSTILE),),
            transfers=(
                replace(transfer(done, HOSTILE), repository=HOSTILE, source=HOSTILE),
                replace(transfer(done, HOSTILE), shares=(Share(HOSTILE, 1), Share(f"peer {HOSTILE}", 2))),
            ),
            recent=tuple([replace(one(0, wall()), client=HOSTILE, path=HOSTILE, origin=HOSTILE) for one in (record, foreign_record)]),
            findings=(FindingStatus(HOSTILE, "wrong", HOSTILE, HOSTILE),),
        )

    async def search(text: str) -> Sequence[Found]:
        if text == "hostile":
            return (Found(HOSTILE, HOSTILE, (HOSTILE,), 1, (HOSTILE,)),)
        return (
            Found(text, "1:1.3.1-2", ("core",), 3 * MIB, ("nas (10.0.0.2:15678)", "laptop (10.0.0.3:15678)")),
            Found(text, "1:1.3-1", (), 3 * MIB, ("this host",), newest=False),
            Found(f"{text}-ng", "2.2.4-1", ("extra",), 1 * MIB, ()),
        )

    local = Loopback()
    here = ClientAdmission(local, [])
    fronts = {
        "": PageFront(now, wall),
        "static": StaticFront(),
        "events": EventsFront(Events(watched(now, wall), reactor)),
        "search": SearchFront(search, "atlas", wall),
    }
    routes = [Route(path, Methods.READ, Audience.CLIENTS, HostHeader.CHECKED, front) for path, front in fronts.items()]
    router = Router(routes, AccessRules(clients=here, peers=here, hosts=Hosts(local, ["atlas"])), reactor)
    port = reactor.listenTCP(0, Site(router, reactor), interface="127.0.0.1")
    new = port_file.with_suffix(".new")
    new.write_text(str(port.getHost().port))
    new.rename(port_file)
    reactor.run()


@contextmanager
def served(folder: Path, *, hostile: bool = False, peers: int = PEERS) -> Iterator[str]:
    """The URL of a page that is served meanwhile."""
    port_file = folder / "port"
    program = f"import pathlib, sys; from tests.e2e.lab.made_up_page import serve; serve(pathlib.Path(sys.argv[1]), hostile={hostile}, peers={peers})"
    with subprocess.Popen([sys.executable, "-c", program, str(port_file)], cwd=_ROOT) as server:
        try:
            wait_until(lambda: port_file.exists() or server.poll() is not None, "the page to be served", _START)
            assert server.poll() is None, "the page is not served"
            yield f"http://localhost:{port_file.read_text()}/"
        finally:
            server.kill()
