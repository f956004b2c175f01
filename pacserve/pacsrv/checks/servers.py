"""Checks of the Server and CacheServer lines of pacman.conf."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.configuration import Section
from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong
from pacserve.pacsrv.pacman import knows_cache_server
from pacserve.pacsrv.server_lines import USABLE_SCHEMES, meant_for_this_host, mistake_in, pacserve_port, pacserve_serves, scheme_of, server_line


def check_servers(facts: Facts) -> Iterable[Finding]:
    """Checks that pacserve is the first Server of every repository that has mirrors, by lines that reach it."""
    if facts.status is not None and facts.status.host.no_pacman:
        yield well(f"no pacman here: {facts.status.host.no_pacman}; pacserve shares what does not need it")
        return
    if facts.sections is None and facts.pacman is None and facts.apt is not None and facts.apt.wanted:
        yield well("no pacman here; pacserve shares what does not need it")
        return
    if facts.sections is None:
        yield wrong(f"{facts.configuration} can't be read: {facts.unreadable}", "make sure that the file exists and that every user may read it")
        return
    if not facts.sections and facts.answers_apt:
        yield well(f"{facts.configuration} names no repository; pacserve answers apt")
        return
    mistakes = list(_mistakes(facts.sections, facts))
    served = [section for section in facts.sections if pacserve_serves(section.servers) and not _mistaken(section, facts.port)]
    # The port of each Server line that leads to a pacserve of this host, None for mirrors.
    ports = {section.name: [pacserve_port(server) for server in section.servers] for section in served}
    missing = [section.name for section in served if not any(ports[section.name]) and not _is_cache_server(section, facts.port)]
    late = [name for name, found in ports.items() if facts.port in found[1:] and found[0] != facts.port]
    twice = [name for name, found in ports.items() if found.count(facts.port) > 1]
    elsewhere = sorted({port for found in ports.values() for port in found if port not in {None, facts.port}}, key=str)
    line = server_line(facts.port)
    yield from mistakes
    if not served and not mistakes:
        yield doubtful(
            f"no repository of {facts.configuration} has an http or https mirror", "add repositories with mirrors: pacserve finds them there"
        )
    elif len(missing) == len(served) and not mistakes:
        # Nowhere at all is a way to use it, by pacsrv alone; in some repositories but not in others is a mistake.
        yield doubtful(
            f"{facts.configuration} does not name pacserve: pacman uses it only when it is run as pacsrv",
            f'run {facts.setup}, or put "{line}" at the top of /etc/pacman.d/mirrorlist, and first in each repository without it',
        )
    elif missing:
        yield wrong(f"without pacserve: {some(missing)}", f'run {facts.setup}, or put "{line}" first in [{missing[0]}] of {facts.configuration}')
    if late:
        yield wrong(
            f"a mirror comes before pacserve in {some(late)}: pacserve is asked only where that mirror fails",
            f'run {facts.setup}, or put "{line}" before all other Server lines, also before Include',
        )
    if twice:
        yield doubtful(
            f"pacserve stands twice in {some(twice)}: pacman asks it again for each file that no host has",
            f"run {facts.setup}, or remove one of the two lines",
        )
    if elsewhere:
        yield wrong(
            f"{facts.configuration} names pacserve on port {some(map(str, elsewhere))}, but the port that was checked is {facts.port}",
            f'run {facts.setup}, or write "{line}"; or start pacserve with --port {elsewhere[0]}, '
            f"and check that with pacsrv --port {elsewhere[0]} doctor",
        )
    if served and not (mistakes or missing or late or twice or elsewhere):
        yield well(f"pacserve comes first in {some(section.name for section in served)}")


def _mistakes(sections: Iterable[Section], facts: Facts) -> Iterable[Finding]:
    """Yields a finding for each line that is meant for pacserve and does not reach it, with the repositories that have it."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for section in sections:
        for key, servers in (("Server", section.servers), ("CacheServer", section.cache_servers)):
            for server in servers:
                mistake = mistake_in(server, facts.port)
                if mistake:
                    found.setdefault((key, server, mistake), []).append(section.name)
    for (key, server, mistake), names in found.items():
        right = server_line(facts.port).removeprefix("Server = ")
        mended = key == "Server" and meant_for_this_host(server, facts.port)
        yield wrong(f"{key} = {server} in {some(names)}: {mistake}", f'{f"run {facts.setup}, or " if mended else ""}write "{key} = {right}"')


def _mistaken(section: Section, port: int) -> bool:
    return any(mistake_in(server, port) for server in (*section.servers, *section.cache_servers))


def check_schemes(facts: Facts) -> Iterable[Finding]:
    """Checks that pacserve can have the files of every repository that pacman asks it for."""
    for section in facts.sections or ():
        others = [server for server in section.servers if pacserve_port(server) is None and not mistake_in(server, facts.port)]
        unusable = [server for server in others if scheme_of(server) not in USABLE_SCHEMES]
        if len(others) == len(section.servers):  # pacman does not ask pacserve; with pacsrv it does only where there is an http mirror
            continue
        if not others:
            yield wrong(
                f"[{section.name}] has no mirror besides pacserve, which finds mirrors nowhere else",
                "put http or https mirrors behind pacserve's line",
            )
        elif len(unusable) == len(others):
            yield wrong(
                f"pacserve can't ask {some(unusable, 1)}, all that [{section.name}] has: after three of its files pacman leaves pacserve out",
                f"run {facts.setup}, or take pacserve's line from [{section.name}] (write its Server lines in the place of an Include), "
                "or give it an http or https mirror",
            )
        elif unusable:
            yield doubtful(
                f"pacserve does not ask {some(unusable, 1)} in [{section.name}]: pacman does, where no other mirror has a file",
                "name http or https mirrors: most mirrors have both",
            )


def check_folders(facts: Facts) -> Iterable[Finding]:
    """Checks that pacserve can read the repositories of this host that pacman asks it for."""
    if facts.status is None:
        return
    asked = {section.name for section in facts.sections or () if any(pacserve_port(server) is not None for server in section.servers)}
    readable = []
    for folder in facts.status.folders:
        if folder.repository not in asked:
            continue
        if folder.trouble:
            yield wrong(
                f"[{folder.repository}] file://{folder.path}: {folder.trouble}",
                f"let pacserve's user read it (chmod -R a+rX {folder.path}; systemd hides /home: ProtectHome=read-only in systemctl edit pacserve), "
                f"or take pacserve's line from [{folder.repository}]",
            )
        else:
            readable.append(folder.path)
    if readable:
        yield well(f"pacserve can read {some(readable)}")


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
