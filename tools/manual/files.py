"""What is made, and where it belongs in this folder."""

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
# The real ones depend on who runs this; see `pacserve.config.options.default_spool`.
_DEFAULTS = {
    "--spool": f"{DEFAULT_SPOOL}, or .cache/pacserve in the home folder of who is not root",
    "--state": f"{DEFAULT_STATE}, or .local/state/pacserve in the home folder of who is not root",
}


def daemon() -> Program:
    """What `pacserve` says of itself."""
    return read_parser(build_parser(), _DEFAULTS)


def wrapper() -> Program:
    """What `pacsrv` says of itself."""
    return read_parser(pacsrv.build_parser())


def made() -> dict[str, str]:
    """The texts, by their paths in this folder."""
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
