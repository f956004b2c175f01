"""
Unpacks a wheel into the folders that are named.

The only module that knows the library installer, and a program of its own, since not every Python has it.
"""

from __future__ import annotations

import argparse
import sys

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile


def main(arguments: list[str]) -> None:
    """Unpacks the wheel that the command line names."""
    parser = argparse.ArgumentParser()
    for name in ("destdir", "modules", "commands", "interpreter"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("wheel")
    named = parser.parse_args(arguments)
    destination = SchemeDictionaryDestination(
        # The wheel has modules and commands only.
        {"purelib": named.modules, "platlib": named.modules, "scripts": named.commands},
        interpreter=named.interpreter,
        script_kind="posix",
        bytecode_optimization_levels=(0,),
        destdir=named.destdir or None,
    )
    with WheelFile.open(named.wheel) as source:
        install(source, destination, additional_metadata={"INSTALLER": b"make install of pacserve\n"})


if __name__ == "__main__":
    main(sys.argv[1:])
