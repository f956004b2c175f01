"""The parser of both programs' command lines: what is wrong is told in one line, with the word that was probably meant."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """
    Parses a command line; options must be written in full, since a shorter form may mean another option in the next version.

    Args:
        words: What to say of a word that is no option and belongs to none.
    """

    def __init__(self, *, words: str = "is no option", **options: Any) -> None:
        super().__init__(**{**options, "add_help": False, "allow_abbrev": False})
        self._words = words

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (see {self.prog} --help)\n")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        options, others = self.parse_known_args(args, namespace)
        if others:
            self._refuse(others, options)
        return options

    def _refuse(self, others: Sequence[str], options: argparse.Namespace) -> NoReturn:
        """Tells of the words that belong to no option."""
        wrong = next((word for word in others if word.startswith("-")), None)
        if wrong is None:
            self.error(f"{others[0]!r} {self._words}")
        name = wrong.partition("=")[0]
        self.error(f"there is no option {name!r}{meant(name, self._known_options(options))}")

    def _known_options(self, options: argparse.Namespace) -> list[str]:
        """Returns the options that may be given, those of the command that was given included."""
        found = list(self._option_string_actions)
        for action in self._actions:
            command = getattr(options, action.dest, None) if isinstance(action, argparse._SubParsersAction) else None
            if command is not None and action.choices is not None:
                found += dict(action.choices)[command]._option_string_actions
        return found

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = list(map(str, action.choices))
            raise argparse.ArgumentError(action, f"{value!r} is none of {', '.join(choices)}{meant(str(value), choices)}")

    def _match_argument(self, action: argparse.Action, arg_strings_pattern: str) -> int:
        try:
            return super()._match_argument(action, arg_strings_pattern)
        except argparse.ArgumentError:
            wanted = ", ".join(map(str, action.choices)) if action.choices else f"{action.metavar or action.dest}"
            raise argparse.ArgumentError(action, f"a value is missing: {wanted}") from None


def meant(word: str, known: Iterable[str]) -> str:
    """Returns a question for the known word that comes closest, with a comma in front; an empty text where none is close."""
    close = difflib.get_close_matches(word, known, n=1)
    return f", did you mean {close[0]}?" if close else ""
