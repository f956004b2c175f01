"""
Every error that pacserve raises on purpose.  The class says whose fault it was, and so what happens next; anything else that is raised is a
defect of pacserve itself, is logged with its traceback and answered with 500.

Messages are read by users: one line that says what is wrong and, where the user can change it, what to do.
"""


class PacserveError(Exception):
    """The root of all errors that pacserve raises on purpose."""


class ConfigurationError(PacserveError):
    """The machine or its configuration does not allow the daemon to run: it does not start, exit status 78 (EX_CONFIG of sysexits.h)."""


class StartError(PacserveError):
    """Something that the daemon needs can't be had now, though its configuration is well, such as a port in use: exit status 1."""


class RequestError(PacserveError):
    """
    A request is answered with an HTTP error.

    Attributes:
        status: The HTTP status code, 400 to 599.
        origin: Who was asked before this answer was given, for the access log; empty when nobody was.
    """

    def __init__(self, status: int, message: str, origin: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.origin = origin


class FetchError(PacserveError):
    """A source could not give what it was asked for, because it failed: the next candidate is tried."""


class AbsentError(FetchError):
    """A source answered well and said that it has no such file (HTTP 404 or 410): the next candidate is tried, and nobody is to blame."""


class IntegrityError(FetchError):
    """What arrived is not the file that was wanted: it is thrown away, counted against that host, and the next candidate is tried."""


class RemoteProtocolError(FetchError):
    """Another host sent what the protocol does not allow: it is counted against that host, and the next candidate is tried."""
