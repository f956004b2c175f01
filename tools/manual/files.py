"""The files that are made, and their places in this folder."""

from __future__ import annotations

from pathlib import Path

from pacserve.config.options import build_parser
from pacserve.config.settings import DEFAULT_SPOOL, DEFAULT_STATE
from pacserve.pacsrv import options as pacsrv
from tools.manual import bash, fish, zsh
from tools.manual.pages import daemon_page, protocol_page, wrapper_page
from tools.manual.program import Program, read_parser

ROOT = Path(__file__).parents[2]
_COMPLETION = "contrib/completion"
# The real defaults depend on the user; see `pacserve.config.options.default_spool`.
_DEFAULTS = {
    "--spool": f"{DEFAULT_SPOOL}, or .cache/pacserve in the home folder of other users than root",
    "--state": f"{DEFAULT_STATE}, or .local/state/pacserve in the home folder of other users than root",
}


def daemon() -> Program:
    """Returns the options of `pacserve`."""
    return read_parser(build_parser(), _DEFAULTS)


def wrapper() -> Program:
    """Returns the options and commands of `pacsrv`."""
    return read_parser(pacsrv.build_parser())


def made() -> dict[str, str]:
    """Returns the texts of all files, by their paths in this folder."""
    programs = (daemon(), wrapper())
    completions = {
        name: text
        for program in programs
        for name, text in (
            (f"{program.name}.bash", bash.completion(program)),
            (f"_{program.name}", zsh.completion(program)),
            (f"{program.name}.fish", fish.completion(program)),
        )
    }
    return {
        "man/pacserve.8": daemon_page(programs[0]),
        "man/pacsrv.8": wrapper_page(programs[1]),
        "man/pacserve-protocol.7": protocol_page((ROOT / "docs/protocol.md").read_text("utf-8")),
        **{f"{_COMPLETION}/{name}": text for name, text in completions.items()},
    }
