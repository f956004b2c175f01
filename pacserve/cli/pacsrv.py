"""The command `pacsrv`: pacman through pacserve, and questions to the daemon."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from pacserve.pacsrv.asking import Daemon
from pacserve.pacsrv.options import PacmanCall, Question, SetupCall, parse_arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Runs pacman in the place of this process, answers a question, or sets this host up.

    Returns:
        The exit status: 1 when something is wrong or the question can't be answered.  A wrong command line ends with 2.
    """
    call = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    daemon = Daemon(call.port, time.monotonic)
    try:
        if isinstance(call, PacmanCall):
            return _pacman(daemon, call)
        if isinstance(call, SetupCall):
            return _setup(call)
        return _answer(daemon, call)
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as sh(1) has it
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that flushing the rest of the buffer does not fail at the end
        return 1


def _pacman(daemon: Daemon, call: PacmanCall) -> int:
    from pacserve.pacsrv.pacman import LocalFiles, knows_cache_server, pacman_version
    from pacserve.pacsrv.wrapper import Wrapper

    wrapper = Wrapper(
        daemon,
        LocalFiles(),
        os.environ,
        say=lambda text: print(text, file=sys.stderr, flush=True),
        knows_cache_server=lambda: knows_cache_server(pacman_version()),
    )
    return wrapper.run(call.words)


def _setup(call: SetupCall) -> int:
    from pacserve.pacsrv.answering import Console
    from pacserve.pacsrv.pacman import LocalFiles, knows_cache_server, pacman_version
    from pacserve.pacsrv.setup.conversation import Conversation
    from pacserve.pacsrv.setup.machine import LocalMachine
    from pacserve.pacsrv.setup.places import Texts
    from pacserve.pacsrv.setup.planning import Planner

    texts = Texts(LocalFiles(), os.path.realpath)
    planner = Planner(call.configuration, texts, call.port, lambda: knows_cache_server(pacman_version()))
    console = Console(sys.stdout, sys.stderr, os.environ, wall=time.time, sleep=time.sleep)
    return Conversation(call, planner, LocalMachine(), console, sys.stdin.readline).run()


def _answer(daemon: Daemon, question: Question) -> int:
    from pacserve.pacsrv.answering import Console, show

    console = Console(sys.stdout, sys.stderr, os.environ, wall=time.time, sleep=time.sleep)
    if question.command != "doctor":
        return show(question, daemon, console)

    from pacserve.pacsrv.doctor import encode_findings, examine, exit_status, show_findings
    from pacserve.pacsrv.gathering import gather
    from pacserve.pacsrv.pacman import LocalFiles

    findings = examine(gather(daemon, LocalFiles(), os.environ, time.time))
    text = encode_findings(findings) if question.json else "\n".join(show_findings(findings, console.screen()))
    console.write(text + "\n")
    return exit_status(findings)


if __name__ == "__main__":
    sys.exit(main())
