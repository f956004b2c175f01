"""Carries a setup out: shows the changes, asks, and makes them."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pacserve.config.settings import DEFAULT_PORT
from pacserve.errors import plain_reason
from pacserve.pacsrv.answering import Console
from pacserve.pacsrv.layout import Style
from pacserve.pacsrv.options import SetupCall
from pacserve.pacsrv.setup import apt, firewall, service
from pacserve.pacsrv.setup.apt import AptPlan
from pacserve.pacsrv.setup.machine import Machine
from pacserve.pacsrv.setup.places import UnreadableError
from pacserve.pacsrv.setup.planning import Change, Plan, Planner, diff
from pacserve.pacsrv.setup.record import APT_SCRIPT, Record
from pacserve.pacsrv.setup.steps import Judgement, Step
from pacserve.pacsrv.setup.writing import WritingError, replace_all

_STYLES = {"+": Style.GOOD, "-": Style.BAD, "@": Style.DIM}


@dataclass(frozen=True, slots=True)
class _Plans:
    """The changes of files, by the package system that reads them."""

    pacman: Plan
    apt: AptPlan

    @property
    def changes(self) -> tuple[Change, ...]:
        return (*self.pacman.changes, *self.apt.changes)


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
        if self.call.apt and not self.call.undo and not self.machine.read_apt().present:
            self.console.complain(f"there is no apt here: {apt.FOLDER} is missing")
            return 1
        try:
            plans = _Plans(self._plan(), self._plan_apt())
        except UnreadableError as error:
            if error.denied and not self.machine.root:
                self.console.complain(f"{error}; root may: sudo pacsrv {self._words()}")
            else:
                others = "pacsrv setup --apt, or --skip configuration" if self.machine.read_apt().present else "--skip configuration"
                self.console.complain(f"{error}; name pacman's configuration with --config FILE. Without pacman: {others}")
            return 1
        return self._go_on(plans)

    def _go_on(self, plans: _Plans) -> int:
        """Returns the exit status of a setup whose changes of files are known."""
        self._show(plans.changes)
        judgements = self._judgements(plans.apt)
        for note in self._notes(plans, judgements):
            self.console.write(f"{note}\n")
        steps = [judgement.step for judgement in judgements if judgement.step is not None]
        if not plans.changes and not steps:
            unfinished = bool(plans.pacman.left or plans.apt.note) or any(judgement.note for judgement in judgements)
            self.console.write("Nothing else to do.\n" if unfinished else "Nothing to do.\n")
            self._forget(judgements)
            return 0
        if self.call.dry:
            for text in self._offers(plans, steps):
                self.console.write(f"Would {text}.\n")
            return 0
        if self._lacks_rights(plans, steps):
            for text in self._offers(plans, steps):
                self.console.write(f"To do: {text}.\n")
            self.console.complain(f"only root may do this: sudo pacsrv {self._words()}")
            return 1
        if not self._carry_out(plans, steps):
            return 1
        self._forget(judgements)
        return 0

    def _plan(self) -> Plan:
        if "configuration" in self.call.skipped:
            return Plan(())
        try:
            return self.planner.undo() if self.call.undo else self.planner.setup()
        except UnreadableError as error:
            # A host with apt alone has no pacman.conf; one that the user names must be there.
            named = self.call.configuration != SetupCall(self.call.port).configuration
            if error.missing != self.call.configuration or named or not (self.call.apt or self.call.undo):
                raise
            return Plan(())

    def _plan_apt(self) -> AptPlan:
        if "apt" in self.call.skipped:
            return AptPlan()
        if self.call.undo:
            return apt.plan_undo(self.machine.read_apt(), self.machine.read_record())
        return apt.plan(self.machine.read_apt(), self.machine.read_record()) if self.call.apt else AptPlan()

    def _show(self, changes: Sequence[Change]) -> None:
        screen = self.console.screen()
        for change in changes:
            for line in diff(change) or [f"{change.path} is made executable"]:
                self.console.write(screen.styled(line.expandtabs(), _STYLES.get(line[:1], Style.PLAIN)) + "\n")

    def _judgements(self, of_apt: AptPlan) -> list[Judgement]:
        """Returns what is to be done besides files; undo goes the other way round."""
        record = self.machine.read_record()
        restart = of_apt.restart or self._lacks_option(of_apt)
        judges: dict[str, Callable[[Record], Judgement]] = {
            "service": partial(self._judged_service, restart=restart),
            "firewall": self._judged_firewall,
        }
        wanted = [judge for part, judge in judges.items() if part not in self.call.skipped]
        return [judge(record) for judge in (reversed(wanted) if self.call.undo else wanted)]

    def _lacks_option(self, of_apt: AptPlan) -> bool:
        """Returns whether all is written and the daemon does not answer apt, as after a setup that was broken off before it restarted the daemon."""
        if not self.call.apt or self.call.undo or of_apt.changes or of_apt.note or "apt" in self.call.skipped:
            return False
        said = self.machine.output((APT_SCRIPT,))
        return said is not None and not said.strip()

    def _judged_service(self, record: Record, *, restart: bool) -> Judgement:
        return (service.judge_undo if self.call.undo else service.judge)(self.machine.output(service.SHOW), record, restart=restart)

    def _judged_firewall(self, record: Record) -> Judgement:
        script = self.machine.firewall_script()
        if self.call.undo:
            return firewall.judge_undo(script, record)
        if not self.machine.root:
            return Judgement(note="Only root can see whether the firewall lets in what pacserve needs.")
        lists = [self.machine.output(command) for command in (firewall.LIST_IPTABLES, firewall.LIST_IP6TABLES, firewall.LIST_NFT)]
        return firewall.judge(firewall.Rules(*lists), script, self.call.port, record)

    def _notes(self, plans: _Plans, judgements: Sequence[Judgement]) -> list[str]:
        notes = [note for note in (plans.apt.note, *(judgement.note for judgement in judgements)) if note]
        plan = plans.pacman
        if self.call.undo or "configuration" in self.call.skipped or (self.call.apt and not plan.served and not plan.left):
            return notes
        if not plan.served:
            notes.append(f"No repository of {self.call.configuration} has an http or https mirror, so none needs pacserve's line.")
        elif not plan.changes:
            notes.append(f"pacserve comes first in {', '.join(plan.served)}.")
        if plan.left:
            notes.append(f"Look at {', '.join(plan.left)} yourself: pacsrv doctor says what is wrong there.")
        return notes

    def _offers(self, plans: _Plans, steps: Sequence[Step]) -> list[str]:
        return [_file_offer(changes) for changes in (plans.pacman.changes, plans.apt.changes) if changes] + [_step_offer(step) for step in steps]

    def _lacks_rights(self, plans: _Plans, steps: Sequence[Step]) -> bool:
        return not self.machine.root and (bool(steps) or not all(self.machine.may_replace(change.path) for change in plans.changes))

    def _words(self) -> str:
        """Returns the words after pacsrv that call this setup again."""
        call = self.call
        default = SetupCall(call.port)
        words = ["--port", str(call.port)] if call.port != DEFAULT_PORT else []
        words += ["setup", *(["--apt"] if call.apt else []), *(["--undo"] if call.undo else []), *(["--yes"] if call.agreed else [])]
        words += [word for part in sorted(call.skipped) for word in ("--skip", part)]
        words += ["--config", call.configuration] if call.configuration != default.configuration else []
        return shlex.join(words)

    def _carry_out(self, plans: _Plans, steps: Sequence[Step]) -> bool:
        """Returns whether all was done; after a failure nothing more is tried."""
        whole = True
        for changes, record in ((plans.pacman.changes, {}), (plans.apt.changes, plans.apt.record)):
            if changes and not self._agreed(_file_offer(changes)):
                whole = False
            elif changes and not self._written(changes, record):
                return False
        for step in steps:
            if not self._agreed(_step_offer(step)):
                whole = False
            elif not self._done(step):
                return False
        if whole and not self.call.undo:
            self.console.write("Done. pacsrv doctor checks that all is well; pacsrv setup --undo takes this back.\n")
        return whole

    def _written(self, changes: Sequence[Change], record: Mapping[str, Any]) -> bool:
        """Writes files and records that, in the order of `_done`."""
        try:
            if not self.call.undo:
                self._record(record)
            self.replace(changes)
            if self.call.undo:
                self._record(record)
        except WritingError as error:
            self.console.complain(str(error))
            return False
        except OSError as error:
            self.console.complain(f"the record of what was done can't be written: {plain_reason(error)}")
            return False
        return True

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
        if fields:
            self.machine.write_record(dataclasses.replace(self.machine.read_record(), **fields))


def _file_offer(changes: Sequence[Change]) -> str:
    written = " and ".join(change.path for change in changes if change.after is not None)
    removed = " and ".join(change.path for change in changes if change.after is None)
    return ", and ".join(filter(None, (f"write {written}" if written else "", f"remove {removed}" if removed else "")))


def _step_offer(step: Step) -> str:
    return f"{step.text} ({'; '.join(map(shlex.join, step.commands))})"
