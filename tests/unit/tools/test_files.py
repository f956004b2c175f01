"""Tests for `tools.manual.files` and what it made: man/ and contrib/completion/."""

import os
import re
import shutil
import subprocess
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from pacserve.config.options import build_parser, default_spool, default_state
from pacserve.pacsrv.options import build_parser as build_wrapper_parser
from tools.manual.files import ROOT, daemon, made, wrapper

# mandoc wants a date, with which the same text would make another page every day.
_NO_DATE = "missing date"


def options_of(help_text: str) -> set[str]:
    """The options that a --help explains."""
    return set(re.findall(r"(?m)^ +(?:-\w, )?(--[a-z-]+)", help_text))


def typed(page: str) -> str:
    """A page as it is shown, as far as options go."""
    return re.sub(r"\\f[BIR]", "", page.replace("\\-", "-"))


def tags(page: str) -> set[str]:
    """The options that a man page explains: those in the tags of its lists."""
    return {option for tag in re.findall(r"(?m)^\.TP\n(.*)$", typed(page)) for option in re.findall(r"--[a-z-]+", tag)}


class CommittedTests(SynchronousTestCase):
    def test_up_to_date(self) -> None:
        """What is in the folder is what would be made now; after a change of options, guide or protocol, 'make man' makes it so again."""
        for path, text in made().items():
            self.assertEqual((ROOT / path).read_text("utf-8"), text, f"{path}: run 'make man'")

    def test_nothing_else(self) -> None:
        """No page or completion lies there that is not made any more."""
        there = {str(path.relative_to(ROOT)) for folder in ("man", "contrib/completion") for path in (ROOT / folder).iterdir()}
        self.assertEqual(there, set(made()))

    def test_any_machine(self) -> None:
        """Whoever makes them, and wherever, they come out the same."""
        usual = made()
        for root in (0, 1000):
            self.patch(os, "geteuid", lambda root=root: root)
            for environment in ({}, {"HOME": "/home/me"}, {"HOME": "/root", "CACHE_DIRECTORY": "/cache", "STATE_DIRECTORY": "/state"}):
                self.patch(os, "environ", environment)
                self.assertEqual(made(), usual)

    def test_default_folders(self) -> None:
        """The defaults that the page states in words are the real ones."""
        helps = {option.names[0]: option.help for option in daemon().options}
        for environment, root in (({"HOME": "/root"}, True), ({"HOME": "/home/me"}, False)):
            self.assertIn(default_spool(environment, root=root).removeprefix("/home/me/"), helps["--spool"])
            self.assertIn(default_state(environment, root=root).removeprefix("/home/me/"), helps["--state"])


class OptionsTests(SynchronousTestCase):
    def test_pages(self) -> None:
        """A page explains every option that --help does, and no other."""
        self.assertEqual(tags(made()["man/pacserve.8"]), options_of(build_parser().format_help()))
        helps = [build_wrapper_parser().format_help(), *self.wrapper_helps()]
        self.assertEqual(tags(made()["man/pacsrv.8"]), {option for text in helps for option in options_of(text)})

    def test_completions(self) -> None:
        """Each shell offers every option that --help explains, and no other."""
        wanted = options_of(build_parser().format_help())
        helps = [build_wrapper_parser().format_help(), *self.wrapper_helps()]
        for name, options in (("pacserve", wanted), ("pacsrv", {option for text in helps for option in options_of(text)})):
            texts = {path: text for path, text in made().items() if path.startswith("contrib/") and name in path}
            self.assertEqual(len(texts), 3)
            for path, text in texts.items():
                if path.endswith(".fish"):
                    found = {f"--{option}" for option in re.findall(r"(?m)^complete .*? -l ([a-z-]+)", text)}
                else:
                    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
                    found = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", code))
                self.assertEqual(found, options, path)

    def wrapper_helps(self) -> list[str]:
        """The help of each of pacsrv's commands."""
        (action,) = (action for action in build_wrapper_parser()._actions if isinstance(action.choices, dict))
        assert isinstance(action.choices, dict)
        return [parser.format_help() for parser in action.choices.values()]

    def test_commands(self) -> None:
        """pacsrv(8) explains each command of pacsrv's own."""
        for command in wrapper().commands:
            self.assertIn(f".SS {command.name}\n", made()["man/pacsrv.8"])


class FormatTests(SynchronousTestCase):
    @skipUnless(shutil.which("mandoc"), "mandoc is not there")
    def test_mandoc(self) -> None:
        """mandoc has nothing to say of any page."""
        for path in self.pages():
            done = subprocess.run(["mandoc", "-T", "lint", path], check=False, capture_output=True, text=True)
            self.assertEqual([line for line in done.stdout.splitlines() if _NO_DATE not in line], [])

    @skipUnless(shutil.which("groff"), "groff is not there")
    def test_groff(self) -> None:
        """groff, which man uses, formats every page without a warning."""
        for path in self.pages():
            done = subprocess.run(["groff", "-ww", "-mandoc", "-T", "utf8", "-z", path], check=False, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def pages(self) -> list[str]:
        """The paths of all pages."""
        return [str(ROOT / path) for path in made() if path.startswith("man/")]
