"""Tests for `pacserve.pacsrv.setup.apt`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.setup.apt import AptPlan, AptState, File, plan, plan_undo
from pacserve.pacsrv.setup.record import APT_CONFIGURATION, APT_SCRIPT, OPTION_FILES, Record
from tests.unit.contrib.test_apt import APT

DEBIAN, ARCH = OPTION_FILES
INSTALLED = {path: (APT / path.rpartition("/")[2]).read_text() for path in (APT_CONFIGURATION, APT_SCRIPT)}
OPTIONS = '# Options\nPACSERVE_ARGS="--multicast"\n\n# Others\n#PACSERVE_ARGS="--multicast --clients 10.0.0.0/24"\n'
BOTH = {APT_SCRIPT: File(INSTALLED[APT_SCRIPT], executable=True), APT_CONFIGURATION: File(INSTALLED[APT_CONFIGURATION])}

FILES = [*BOTH.values(), File(OPTIONS), File(""), File("PACSERVE_ARGS=\\\n")]


def state(files: dict[str, File] | None = None) -> AptState:
    """A host with apt and these files."""
    return AptState(present=True, files=files or {}, installed=INSTALLED)


def states(before: AptState, found: AptPlan) -> Iterator[AptState]:
    """The host before the first change and after each of them, as a setup that is killed leaves it."""
    yield before
    for change in found.changes:
        files = dict(before.files)
        there = files.pop(change.path, None)
        assert (None if there is None else there.text) == change.before
        if change.after is not None:
            files[change.path] = File(change.after, change.executable or (there is not None and there.executable))
        before = dataclasses.replace(before, files=files)
        yield before


def after(before: AptState, found: AptPlan) -> AptState:
    """The host after all changes."""
    *_, last = states(before, found)
    return last


def recorded(record: Record, found: AptPlan) -> Record:
    return dataclasses.replace(record, **found.record)


def apt_works(host: AptState) -> bool:
    """Whether apt finds the script that its configuration names."""
    return APT_CONFIGURATION not in host.files or (APT_SCRIPT in host.files and host.files[APT_SCRIPT].executable)


def options(host: AptState, path: str = DEBIAN) -> str:
    """The last line that sets the options."""
    return [line for line in host.files[path].text.splitlines() if line.startswith("PACSERVE_ARGS")][-1]


class PlanTests(SynchronousTestCase):
    def test_new(self) -> None:
        """Both files are written and the daemon gets its option; a second setup has nothing to do, and undo gives back every byte."""
        host = state({DEBIAN: File(OPTIONS)})
        found = plan(host, Record())
        self.assertEqual([change.path for change in found.changes], [APT_SCRIPT, APT_CONFIGURATION, DEBIAN])
        done, record = after(host, found), recorded(Record(), found)
        self.assertTrue(found.restart)
        self.assertEqual({path: done.files[path] for path in BOTH}, BOTH)
        self.assertEqual(options(done), 'PACSERVE_ARGS="--multicast --apt"')
        self.assertEqual(plan(done, record).changes, ())
        self.assertFalse(plan(done, record).restart)
        self.assertEqual(recorded(record, plan(done, record)), record)
        undone = plan_undo(done, record)
        self.assertEqual([change.path for change in undone.changes], [DEBIAN, APT_CONFIGURATION, APT_SCRIPT])
        self.assertEqual((after(done, undone), recorded(record, undone), undone.restart), (host, Record(), True))

    def test_of_a_package(self) -> None:
        """Files that a package has installed are not touched, by neither way; only the option is."""
        host = state({**BOTH, DEBIAN: File(OPTIONS)})
        found = plan(host, Record())
        self.assertEqual([change.path for change in found.changes], [DEBIAN])
        self.assertEqual(after(after(host, found), plan_undo(after(host, found), recorded(Record(), found))), host)

    def test_of_the_user(self) -> None:
        """An option that the user gave is not taken back; without a record nothing is."""
        host = state({**BOTH, DEBIAN: File('PACSERVE_ARGS="--apt"\n')})
        self.assertEqual((plan(host, Record()).changes, plan_undo(host, recorded(Record(), plan(host, Record()))).changes), ((), ()))

    def test_configuration_that_stays(self) -> None:
        """Where the configuration was there before, undo leaves the script that it needs."""
        host = state({APT_CONFIGURATION: BOTH[APT_CONFIGURATION], DEBIAN: File(OPTIONS)})
        found = plan(host, Record())
        undone = after(after(host, found), plan_undo(after(host, found), recorded(Record(), found)))
        self.assertEqual({APT_CONFIGURATION, APT_SCRIPT} - set(undone.files), set())

    def test_changed(self) -> None:
        """Files of an earlier version are replaced, and a script that can't be started is mended."""
        host = state({**BOTH, APT_SCRIPT: File("old\n", executable=True), DEBIAN: File("PACSERVE_ARGS=--apt\n")})
        self.assertEqual(after(host, plan(host, Record())).files[APT_SCRIPT], BOTH[APT_SCRIPT])
        host = state({**BOTH, APT_SCRIPT: File(INSTALLED[APT_SCRIPT]), DEBIAN: File("PACSERVE_ARGS=--apt\n")})
        self.assertEqual(after(host, plan(host, Record())).files[APT_SCRIPT], BOTH[APT_SCRIPT])

    def test_not_installed(self) -> None:
        """Without the files that pacserve brings nothing is changed, and that is said."""
        found = plan(AptState(present=True, files={DEBIAN: File(OPTIONS)}), Record())
        self.assertEqual(found.changes, ())
        self.assertIn("share/pacserve/apt", found.note)

    @given(
        st.dictionaries(
            st.sampled_from([*BOTH, *OPTION_FILES]), st.sampled_from([*BOTH.values(), File(OPTIONS), File(""), File("PACSERVE_ARGS=\\\n")])
        )
    )
    def test_killed(self, files: dict[str, File]) -> None:
        """Whatever was there, apt works after each single change of a setup and of its undo, if it did before."""
        host = state(files)
        found = plan(host, Record())
        done, record = after(host, found), recorded(Record(), found)
        if apt_works(host):
            self.assertTrue(all(map(apt_works, states(host, found))))
        self.assertTrue(apt_works(done))
        for middle in states(host, found):
            self.assertTrue(all(map(apt_works, states(done, plan_undo(done, record)))))
            again = plan(middle, record)
            self.assertEqual(after(middle, again), done)
            if apt_works(middle):
                self.assertTrue(all(map(apt_works, states(middle, plan_undo(middle, record)))))


class OptionTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """The option is added in the form in which the line is written, and only this line is changed."""
        for before, wanted in (
            ('PACSERVE_ARGS="--multicast"', 'PACSERVE_ARGS="--multicast --apt"'),
            ("PACSERVE_ARGS='--clients 10.0.0.0/24'", "PACSERVE_ARGS='--clients 10.0.0.0/24 --apt'"),
            ("PACSERVE_ARGS=--multicast --pacserver nas.lan", "PACSERVE_ARGS=--multicast --pacserver nas.lan --apt"),
            ("PACSERVE_ARGS=", "PACSERVE_ARGS=--apt"),
            ('PACSERVE_ARGS = ""  ', 'PACSERVE_ARGS = "--apt"  '),
            ('PACSERVE_ARGS="--apt-port 9999"', 'PACSERVE_ARGS="--apt-port 9999 --apt"'),
        ):
            for frame in ("{}", "{}\n", "# a\n{}\n\n#PACSERVE_ARGS=x\n", 'PACSERVE_ARGS="former"\n{}\n'):
                host = state({DEBIAN: File(frame.format(before))})
                self.assertEqual(after(host, plan(host, Record())).files[DEBIAN].text, frame.format(wanted))

    def test_not_understood(self) -> None:
        """A line with quotes within quotes or over several lines is left to the user."""
        for line in ('PACSERVE_ARGS="a \\\nb"', "PACSERVE_ARGS=\"--name 'a'\"", "PACSERVE_ARGS='a' 'b'", 'PACSERVE_ARGS="a'):
            found = plan(state({**BOTH, DEBIAN: File(line + "\n")}), Record())
            self.assertEqual((found.changes, found.restart), ((), False))
            self.assertIn(f"add --apt to PACSERVE_ARGS in {DEBIAN} yourself", found.note)

    def test_which_file(self) -> None:
        """The file is changed that counts: the last one that states options, else the last that is there, else Debian's."""
        for debian, arch, wanted in (
            (OPTIONS, None, DEBIAN),
            (None, OPTIONS, ARCH),
            (OPTIONS, OPTIONS, ARCH),
            (OPTIONS, "# none\n", DEBIAN),
            ("", None, DEBIAN),
            (None, None, DEBIAN),
        ):
            host = state({path: File(text) for path, text in ((DEBIAN, debian), (ARCH, arch)) if text is not None})
            found = plan(host, Record())
            self.assertEqual(found.changes[-1].path, wanted)
            self.assertEqual(options(after(host, found), wanted), 'PACSERVE_ARGS="--multicast --apt"')

    def test_without_file(self) -> None:
        """A file that setup wrote goes with the undo; one with more in it by then keeps that."""
        host = state()
        found = plan(host, Record())
        done, record = after(host, found), recorded(Record(), found)
        self.assertEqual(after(done, plan_undo(done, record)), host)
        more = dataclasses.replace(done, files={**done.files, DEBIAN: File('PACSERVE_ARGS="--multicast --apt --spool-size 1G"\n')})
        self.assertEqual(options(after(more, plan_undo(more, record))), 'PACSERVE_ARGS="--multicast --spool-size 1G"')

    def test_taken_back_by_the_user(self) -> None:
        """Where the user has taken the option back, or written a line that is not understood, undo leaves the file alone."""
        record = Record(apt=True)
        for text, path in product((OPTIONS, "PACSERVE_ARGS='--apt' 'x'\n", ""), OPTION_FILES):
            self.assertEqual(plan_undo(state({path: File(text)}), record).changes, ())
        self.assertEqual(plan_undo(state(), record).changes, ())
