"""A machine that a setup looks at and changes, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pacserve.pacsrv.setup.apt import AptState
from pacserve.pacsrv.setup.machine import Machine
from pacserve.pacsrv.setup.record import Record


class FakeMachine(Machine):
    """
    Answers commands by a table.

    Attributes:
        ran: The commands that were run, in order.
        failing: The commands that fail.
        record: The record that is kept.
        full: True if nothing can be written.
        apt: How apt is configured.
    """

    def __init__(self, outputs: Mapping[Sequence[str], str], *, root: bool = True) -> None:
        self.outputs = dict(outputs)
        self._root = root
        self.ran: list[tuple[str, ...]] = []
        self.failing: set[tuple[str, ...]] = set()
        self.record = Record()
        self.full = False
        self.apt = AptState()

    @property
    def root(self) -> bool:
        return self._root

    def may_replace(self, path: str) -> bool:
        return self._root or path.startswith("/home/")

    def output(self, command: Sequence[str]) -> str | None:
        return self.outputs.get(tuple(command))

    def run(self, command: Sequence[str]) -> int:
        self.ran.append(tuple(command))
        return int(tuple(command) in self.failing)

    def firewall_script(self) -> str | None:
        return "/script"

    def read_apt(self) -> AptState:
        return self.apt

    def read_record(self) -> Record:
        return self.record

    def write_record(self, record: Record) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.record = record
