"""Whether pacman.conf sends pacman to pacserve first."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.composing import server_line
from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong
from pacserve.pacsrv.reading import Section, pacserve_port, pacserve_serves


def check(facts: Facts) -> Iterable[Finding]:
    """pacserve is the first Server of every repository that has mirrors."""
    if facts.status is not None and facts.status.host.no_pacman:
        yield well(f"no pacman here: {facts.status.host.no_pacman}; pacserve shares what does not need it")
        return
    if facts.sections is None:
        yield wrong(f"{facts.configuration} can't be read: {facts.unreadable}", "see that it is there, and that everybody may read it")
        return
    served = [section for section in facts.sections if pacserve_serves(section.servers)]
    ports = {section.name: [pacserve_port(server) for server in section.servers] for section in served}
    missing = [section.name for section in served if facts.port not in ports[section.name] and not _as_cache_server(section, facts.port)]
    late = [name for name, found in ports.items() if facts.port in found[1:] and found[0] != facts.port]
    elsewhere = sorted({port for found in ports.values() for port in found if port not in {None, facts.port}}, key=str)
    line = server_line(facts.port)
    if not served:
        yield doubtful(
            f"no repository of {facts.configuration} has an http or https mirror", "add repositories with mirrors: pacserve finds them there"
        )
    elif len(missing) == len(served):
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
            f"{facts.configuration} looks for pacserve on port {some(map(str, elsewhere))}, and it was asked for on {facts.port}",
            "let the port of the Server lines and pacserve's --port be the same",
        )
    if served and not (missing or late or elsewhere):
        yield well(f"pacserve comes first in {some(section.name for section in served)}")


def _as_cache_server(section: Section, port: int) -> bool:
    return any(pacserve_port(server) == port for server in section.cache_servers)
