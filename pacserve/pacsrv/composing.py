"""A pacman.conf that asks pacserve first, made of the user's own text.  Rules only."""

from __future__ import annotations

from collections.abc import Callable

from pacserve.pacsrv.reading import ConfigurationFiles, pacserve_port, pacserve_serves, read_lines, read_sections


def server_line(port: int) -> str:
    """Returns the line that makes the pacserve of this host a Server."""
    return f"Server = http://localhost:{port}/request/$repo/$arch"


def compose(path: str, files: ConfigurationFiles, port: int, knows_cache_server: Callable[[], bool]) -> str:
    """
    Returns the text of a configuration that differs from that of the file in nothing but this: in each repository pacserve is the first Server.

    A repository is left as it is where pacserve comes first already or is its CacheServer, where it has no mirror that pacserve could use
    (`file://`), and where it has no Server at all.

    Args:
        port: Where pacserve listens.
        knows_cache_server: True if this pacman does not ignore CacheServer; called where that matters.

    Raises:
        OSError: The file can't be read.
    """
    lines = read_lines(path, files)
    texts = [line.text for line in lines]
    for section in reversed(read_sections(lines, files)):
        if section.first is None or not pacserve_serves(section.servers) or pacserve_port(section.servers[0]) == port:
            continue
        if any(pacserve_port(server) == port for server in section.cache_servers) and knows_cache_server():
            continue  # as both, it would be asked twice for what nobody has
        texts.insert(section.first, server_line(port))
    return "\n".join(texts) + "\n"
