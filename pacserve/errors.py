"""
The errors that pacserve raises on purpose.

The class says whose fault an error was, and so what happens next.  Any other exception is a defect of pacserve: it is logged with its traceback and
answered with 500.  Users read the messages: one line that says what is wrong and, where the user can change it, what to do.  Errors of the operating
system are put into words here as well.
"""


class PacserveError(Exception):
    """The base class of all errors that pacserve raises on purpose."""


class ConfigurationError(PacserveError):
    """The machine or its configuration does not allow the daemon to run: it does not start, exit status 78 (EX_CONFIG of sysexits.h)."""


class StartError(PacserveError):
    """Something that the daemon needs is not available now although its configuration is right, such as a port that is in use: exit status 1."""


class RequestError(PacserveError):
    """
    A request is answered with an HTTP error.

    Attributes:
        status: The HTTP status code, 400 to 599.
        origin: The hosts that were asked before this answer, for the access log; empty when none was.
        silent: True if the connection is closed without an answer, because the client would take the status for that of its next source: pacman
            (6.0, 7.0) does so where that is `file://` and has not changed.
    """

    def __init__(self, status: int, message: str, origin: str = "", *, silent: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.origin = origin
        self.silent = silent


class FetchError(PacserveError):
    """A source failed to provide what it was asked for: the next candidate is tried."""


class AbsentError(FetchError):
    """A source answered that it has no such file (HTTP 404 or 410): the next candidate is tried, and the source is not to blame."""


class IntegrityError(FetchError):
    """The received bytes are not the wanted file: they are discarded, the error counts against that host, and the next candidate is tried."""


class RemoteProtocolError(FetchError):
    """Another host sent something that the protocol does not allow: it counts against that host, and the next candidate is tried."""


def plain_reason(error: OSError) -> str:
    """Returns the reason of an error of the operating system for people, without its number and the file: other hosts may read it."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def reason_of(error: OSError, told: str = "") -> str:
    """
    Returns the reason of an error of the operating system for people of this host, with the file that it is about.

    Args:
        told: A path that the message names already: it is not told again, and of a file below it only the rest is.
    """
    reason, name = plain_reason(error), error.filename
    if not isinstance(name, str) or not name or name == told:
        return reason
    return f"{reason} ({name.removeprefix(told.rstrip('/') + '/') if told else name})"
