"""
Runs a program as a service manager does: it starts it again whenever it has ended.

    supervisor.py [--socket PORT] COMMAND...

With `--socket` it opens a TCP port itself and hands it to the program (sd_listen_fds(3)), so that connections wait in it while nobody listens.
SIGHUP restarts the program, which gets SIGTERM; SIGTERM ends both.  Each start is a line on standard output.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

_FIRST_INHERITED = 3
_BACKLOG = 1024
# Sets the process id in the environment, which only the process itself knows, and becomes the program.
_EXEC = "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.execvp(sys.argv[1], sys.argv[1:])"


def main(arguments: list[str]) -> int:
    """Runs until SIGTERM; the exit status is that of the last run of the program."""
    command, environment = arguments, dict(os.environ)
    inherited: tuple[int, ...] = ()
    if arguments[0] == "--socket":
        listener = socket.create_server(("", int(arguments[1])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
        if listener.fileno() != _FIRST_INHERITED:
            os.dup2(listener.fileno(), _FIRST_INHERITED)
        command = [sys.executable, "-c", _EXEC, *arguments[2:]]
        environment |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "pacserve.socket"}
        inherited = (_FIRST_INHERITED,)
    ending = False
    running: subprocess.Popen[bytes] | None = None

    def end(_number: int, _frame: object) -> None:
        nonlocal ending
        ending = True
        restart(0, None)

    def restart(_number: int, _frame: object) -> None:
        if running is not None and running.poll() is None:
            running.terminate()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, restart)
    while True:
        running = subprocess.Popen(command, env=environment, pass_fds=inherited)
        print(f"supervisor: started {running.pid}", flush=True)
        status = running.wait()
        if ending or status > 0:
            return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
