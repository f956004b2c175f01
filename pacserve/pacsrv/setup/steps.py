"""Steps of a setup that are commands to run.  Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """
    Commands that belong together, to be run after the user agreed.

    Attributes:
        text: The purpose, as the beginning of an order: "start pacserve now".
        record: The fields of the `Record` that change, with their new values.
        afterwards: A line to show then; empty where there is nothing to say.
    """

    text: str
    commands: tuple[tuple[str, ...], ...]
    record: Mapping[str, Any]
    afterwards: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    The outcome of looking at a part of the machine.

    Attributes:
        step: None where there is nothing to do, or nothing that setup can do.
        note: A line for the user; empty where there is nothing to say.
    """

    step: Step | None = None
    note: str = ""
