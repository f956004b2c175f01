"""Carries a setup out: shows the changes, asks, and makes them."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pacserve.config.settings import DEFAULT_PORT
from pacserve.errors import plain_reason
from pacserve.pacsrv.answering import Console
from pacserve.pacsrv.layout import Style
from pacserve.pacsrv.options import SetupCall
from pacserve.pacsrv.setup import firewall, service
from pacserve.pacsrv.setup.machine import Machine
from pacserve.pacsrv.setup.places import UnreadableError
from pacserve.pacsrv.setup.planning import Change, Plan, Planner, diff
from pacserve.pacsrv.setup.record import Record
from pacserve.pacsrv.setup.steps import Judgement, Step
from pacserve.pacsrv.setup.writing import WritingError, replace_all

_STYLES = {"+": Style.GOOD, "-": Style.BAD, "@": Style.DIM}


@dataclass(frozen=True, slots=True)
class Conversation:
    """
    A setup, or its undoing, in a terminal.

    Attributes:
        answer: Returns the next line that the user types; empty at the end of the input.
        replace: Writes changed files, as `replace_all` does.
    """

    call: SetupCall
    planner: Planner
    machine: Machine
    console: Console
    answer: Callable[[], str]
    replace: Callable[[Sequence[Change]], None] = replace_all

    def run(self) -> int:
        """
        Returns the exit status: 0 when all is done or there was nothing to do, 1 when something failed, was refused by the user, or needs root.

        Nothing is done where a file can't be read.
        """
        try:
            plan = self._plan()
        except UnreadableError as error:
            if error.denied and not self.machine.root:
                self.console.complain(f"{error}; root may: sudo pacsrv {self._words()}")
            else:
                self.console.complain(f"{error}; name pacman's configuration with --config FILE. Without pacman: --skip configuration")
            return 1
        self._show(plan)
        judgements = self._judgements()
        for note in self._notes(plan, judgements):
            self.console.write(f"{note}\n")
        steps = [judgement.step for judgement in judgements if judgement.step is not None]
        if not plan.changes and not steps:
            unfinished = bool(plan.left) or any(judgement.note for judgement in judgements)
            self.console.write("Nothing else to do.\n" if unfinished else "Nothing to do.\n")
            self._forget(judgements)
            return 0
        if self.call.dry:
            for text in self._offers(plan, steps):
                self.console.write(f"Would {text}.\n")
            return 0
        if self._lacks_rights(plan, steps):
            for text in self._offers(plan, steps):
                self.console.write(f"To do: {text}.\n")
            self.console.complain(f"only root may do this: sudo pacsrv {self._words()}")
            return 1
        if not self._carry_out(plan, steps):
            return 1
        self._forget(judgements)
        return 0

    def _plan(self) -> Plan:
        if "configuration" in self.call.skipped:
            return Plan(())
        return self.planner.undo() if self.call.undo else self.planner.setup()

    def _show(self, plan: Plan) -> None:
        screen = self.console.screen()
        for change in plan.changes:
            for line in diff(change):
                self.console.write(screen.styled(line.expandtabs(), _STYLES.get(line[:1], Style.PLAIN)) + "\n")

    def _judgements(self) -> list[Judgement]:
        """Returns what is to be done besides files; undo goes the other way round."""
        record = self.machine.read_record()
        judges = {"service": self._judged_service, "firewall": self._judged_firewall}
        wanted = [judge for part, judge in judges.items() if part not in self.call.skipped]
        return [judge(record) for judge in (reversed(wanted) if self.call.undo else wanted)]

    def _judged_service(self, record: Record) -> Judgement:
        return (service.judge_undo if self.call.undo else service.judge)(self.machine.output(service.SHOW), record)

    def _judged_firewall(self, record: Record) -> Judgement:
        script = self.machine.firewall_script()
        if self.call.undo:
            return firewall.judge_undo(script, record)
        if not self.machine.root:
            return Judgement(note="Only root can see whether the firewall lets in what pacserve needs.")
        lists = [self.machine.output(command) for command in (firewall.LIST_IPTABLES, firewall.LIST_IP6TABLES, firewall.LIST_NFT)]
        return firewall.judge(firewall.Rules(*lists), script, self.call.port, record)

    def _notes(self, plan: Plan, judgements: Sequence[Judgement]) -> list[str]:
        notes = [judgement.note for judgement in judgements if judgement.note]
        if self.call.undo or "configuration" in self.call.skipped:
            return notes
        if not plan.served:
            notes.append(f"No repository of {self.call.configuration} has an http or https mirror, so none needs pacserve's line.")
        elif not plan.changes:
            notes.append(f"pacserve comes first in {', '.join(plan.served)}.")
        if plan.left:
            notes.append(f"Look at {', '.join(plan.left)} yourself: pacsrv doctor says what is wrong there.")
        return notes

    def _offers(self, plan: Plan, steps: Sequence[Step]) -> list[str]:
        files = [_file_offer(plan)] if plan.changes else []
        return files + [_step_offer(step) for step in steps]

    def _lacks_rights(self, plan: Plan, steps: Sequence[Step]) -> bool:
        return not self.machine.root and (bool(steps) or not all(self.machine.may_replace(change.path) for change in plan.changes))

    def _words(self) -> str:
        """Returns the words after pacsrv that call this setup again."""
        call = self.call
        default = SetupCall(call.port)
        words = ["--port", str(call.port)] if call.port != DEFAULT_PORT else []
        words += ["setup", *(["--undo"] if call.undo else []), *(["--yes"] if call.agreed else [])]
        words += [word for part in sorted(call.skipped) for word in ("--skip", part)]
        words += ["--config", call.configuration] if call.configuration != default.configuration else []
        return shlex.join(words)

    def _carry_out(self, plan: Plan, steps: Sequence[Step]) -> bool:
        """Returns whether all was done; after a failure nothing more is tried."""
        whole = True
        if plan.changes:
            if self._agreed(_file_offer(plan)):
                try:
                    self.replace(plan.changes)
                except WritingError as error:
                    self.console.complain(str(error))
                    return False
            else:
                whole = False
        for step in steps:
            if not self._agreed(_step_offer(step)):
                whole = False
            elif not self._done(step):
                return False
        if whole and not self.call.undo:
            self.console.write("Done. pacsrv doctor checks that all is well; pacsrv setup --undo takes this back.\n")
        return whole

    def _agreed(self, offer: str) -> bool:
        """Returns whether the user wants something; Enter is yes, as in pacman, and the end of the input is no."""
        question = f"{offer[0].upper()}{offer[1:]}?"
        if self.call.agreed:
            self.console.write(f"{question} yes (--yes)\n")
            return True
        self.console.write(f"{question} [Y/n] ")
        answer = self.answer()
        if not answer.endswith("\n"):
            self.console.write("\n")
            self.console.complain("no answer: give --yes where nobody can be asked")
            return False
        return answer.strip().lower() in {"", "y", "yes"}

    def _done(self, step: Step) -> bool:
        """
        Runs the commands of a step and records them.

        The record of a setup is written before, since what is not recorded could not be taken back, and that of an undo when all is taken back.
        """
        try:
            if not self.call.undo:
                self._record(step.record)
            for command in step.commands:
                status = self.machine.run(command)
                if status != 0:
                    self.console.complain(f"{shlex.join(command)} failed (exit status {status})")
                    return False
            if self.call.undo:
                self._record(step.record)
        except OSError as error:
            self.console.complain(f"the record of what was done can't be written: {plain_reason(error)}")
            return False
        if step.afterwards:
            self.console.write(f"Note: {step.afterwards}.\n")
        return True

    def _forget(self, judgements: Sequence[Judgement]) -> None:
        """
        Forgets, after an undo, what an earlier setup did and somebody else has taken back since.

        What the user does again from now on is the user's own, and no later undo may touch it.
        """
        if not self.call.undo or self.call.dry or self.call.skipped or any(judgement.note for judgement in judgements):
            return
        if self.machine.read_record() != Record():
            with contextlib.suppress(OSError):
                self.machine.write_record(Record())

    def _record(self, fields: Mapping[str, Any]) -> None:
        self.machine.write_record(dataclasses.replace(self.machine.read_record(), **fields))


def _file_offer(plan: Plan) -> str:
    return f"write {' and '.join(change.path for change in plan.changes)}"


def _step_offer(step: Step) -> str:
    return f"{step.text} ({'; '.join(map(shlex.join, step.commands))})"
