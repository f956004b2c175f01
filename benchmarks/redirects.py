"""Redirects per second and their CPU time, against `return 302` of nginx."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.comparison import compare
from benchmarks.lab import Lab
from benchmarks.load import Client, Load, requests
from benchmarks.packages import NO_MIRROR, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, Launch, Server

NAME = "redirects"
_SIZE = 20_000
_AIMS = {True: Aim(0.15, least=True, of_ratio=True), False: Aim(0.45, least=True, of_ratio=True)}


def measure(lab: Lab) -> Iterator[Result]:
    """Measures redirects to a peer or mirror that said within the last second that it has the file; the daemon has a full sync database."""
    cache, held, mirror = lab.path("cache"), lab.path("held"), lab.path("mirror")
    on_peer = write_package(held, "on-a-peer", _SIZE)
    on_mirror = write_package(mirror, "on-a-mirror", _SIZE)
    reference = lab.nginx(mirror)
    sizes = {"on-a-peer": _SIZE, "on-a-mirror": _SIZE}
    configuration = lab.configuration("asker", cache, f"http://127.0.0.1:{reference.port}", sizes)
    lab.settle()
    peer = lab.pacserve(held, lab.configuration("peer", held, NO_MIRROR), launch=Launch((), core=lab.client_core))
    asker = lab.pacserve(cache, configuration, peers=(peer,), launch=Launch((), "benchmarks.forgetful", lab.server_core))
    for holder, name, target in (("peer", on_peer, peer), ("mirror", on_mirror, reference)):
        _check(asker, name, target)
        for keep_alive in (True, False):

            def load(server: Server, path: str, keep_alive: bool = keep_alive) -> Load:
                return requests(server, path, 1 if lab.quick else 3, lab.client_core, keep_alive=keep_alive)

            found = compare(lab.repetitions, partial(load, asker, request_path(name)), partial(load, reference, f"/redirect/{name}"))
            what = f"to a {holder}, {'keep-alive' if keep_alive else 'new connections'}"
            yield Result(NAME, what, found.rate, "requests/s", found.reference_rate, found.ratio, _AIMS[keep_alive])
            yield Result(NAME, what, found.cost * 1e6, "CPU us/request", found.reference_cost * 1e6, found.cost_ratio)


def _check(asker: Server, name: str, target: Server) -> None:
    with Client(asker.port) as client:
        answer = client.ask(request_path(name))
    if answer.status != 307 or f"Location: http://127.0.0.1:{target.port}/" not in answer.text:
        raise BenchmarkError(f"{name} is not redirected as it should: {answer.text}")
