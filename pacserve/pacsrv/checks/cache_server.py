"""Whether CacheServer does what was meant."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong
from pacserve.pacsrv.pacman import knows_cache_server
from pacserve.pacsrv.reading import pacserve_port


def check(facts: Facts) -> Iterable[Finding]:
    """Returns where pacserve is a CacheServer, pacman is 6.1 or later, and does not ask it twice."""
    with_it = [section for section in facts.sections or () if any(pacserve_port(server) == facts.port for server in section.cache_servers)]
    both = [section.name for section in with_it if any(pacserve_port(server) == facts.port for server in section.servers)]
    if not with_it:
        return
    if not knows_cache_server(facts.pacman):
        yield wrong(
            f"this pacman ignores CacheServer, which came with pacman 6.1: {some(section.name for section in with_it)}",
            "write Server instead of CacheServer, before all other Server lines",
        )
    elif both:
        yield doubtful(f"pacserve is Server and CacheServer of {some(both)}: it is asked twice for what nobody has", "remove one of the two lines")
    else:
        yield well(f"pacserve is the CacheServer of {some(section.name for section in with_it)}")
