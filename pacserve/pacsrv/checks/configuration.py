"""Checks of pacman's configuration: the Server and CacheServer lines, and signatures."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.configuration import Section, pacserve_port, pacserve_serves, server_line
from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong
from pacserve.pacsrv.pacman import knows_cache_server

_SIGNATURE_CURE = "set SigLevel = Required DatabaseOptional in pacman.conf; import the keys with pacman-key"


def check_servers(facts: Facts) -> Iterable[Finding]:
    """Checks that pacserve is the first Server of every repository that has mirrors."""
    if facts.status is not None and facts.status.host.no_pacman:
        yield well(f"no pacman here: {facts.status.host.no_pacman}; pacserve shares what does not need it")
        return
    if facts.sections is None:
        yield wrong(f"{facts.configuration} can't be read: {facts.unreadable}", "make sure that the file exists and that every user may read it")
        return
    served = [section for section in facts.sections if pacserve_serves(section.servers)]
    # The port of each Server line that leads to a pacserve of this host, None for mirrors.
    ports = {section.name: [pacserve_port(server) for server in section.servers] for section in served}
    missing = [section.name for section in served if facts.port not in ports[section.name] and not _is_cache_server(section, facts.port)]
    late = [name for name, found in ports.items() if facts.port in found[1:] and found[0] != facts.port]
    elsewhere = sorted({port for found in ports.values() for port in found if port not in {None, facts.port}}, key=str)
    line = server_line(facts.port)
    if not served:
        yield doubtful(
            f"no repository of {facts.configuration} has an http or https mirror", "add repositories with mirrors: pacserve finds them there"
        )
    elif len(missing) == len(served):
        # Nowhere at all is a way to use it, by pacsrv alone; in some repositories but not in others is a mistake.
        yield doubtful(
            f"{facts.configuration} does not name pacserve: pacman uses it only when it is run as pacsrv",
            f'put "{line}" at the top of /etc/pacman.d/mirrorlist, and first in each repository without it',
        )
    elif missing:
        yield wrong(f"without pacserve: {some(missing)}", f'put "{line}" first in [{missing[0]}] of {facts.configuration}')
    if late:
        yield wrong(f"a mirror comes before pacserve in {some(late)}", "move pacserve's Server line before all others, also before Include")
    if elsewhere:
        yield wrong(
            f"{facts.configuration} names pacserve on port {some(map(str, elsewhere))}, but the port that was checked is {facts.port}",
            "use the same port in the Server lines and for pacserve's --port",
        )
    if served and not (missing or late or elsewhere):
        yield well(f"pacserve comes first in {some(section.name for section in served)}")


def check_cache_servers(facts: Facts) -> Iterable[Finding]:
    """Checks, where pacserve is a CacheServer, that this pacman knows CacheServer and does not ask pacserve twice."""
    named = [section for section in facts.sections or () if _is_cache_server(section, facts.port)]
    both = [section.name for section in named if any(pacserve_port(server) == facts.port for server in section.servers)]
    if not named:
        return
    if not knows_cache_server(facts.pacman):
        yield wrong(
            f"this pacman ignores CacheServer, which came with pacman 6.1: {some(section.name for section in named)}",
            "write Server instead of CacheServer, before all other Server lines",
        )
    elif both:
        yield doubtful(
            f"pacserve is Server and CacheServer of {some(both)}: pacman asks it twice for each file that no host has", "remove one of the two lines"
        )
    else:
        yield well(f"pacserve is the CacheServer of {some(section.name for section in named)}")


def _is_cache_server(section: Section, port: int) -> bool:
    return any(pacserve_port(server) == port for server in section.cache_servers)


def check_signatures(facts: Facts) -> Iterable[Finding]:
    """Checks that pacman checks the signatures of packages against trusted keys."""
    unchecked = [name for name, level in facts.signature_levels.items() if "PackageNever" in level]
    any_key = [name for name, level in facts.signature_levels.items() if "PackageTrustAll" in level and name not in unchecked]
    if unchecked:
        yield doubtful(f"signatures are not checked in {some(unchecked)}: only the database says what a package is", _SIGNATURE_CURE)
    if any_key:
        yield doubtful(f"a signature by any key is accepted in {some(any_key)} (TrustAll)", _SIGNATURE_CURE)
    if facts.signature_levels and not unchecked and not any_key:
        yield well("packages must be signed by a trusted key, or may be unsigned where signatures are optional")
