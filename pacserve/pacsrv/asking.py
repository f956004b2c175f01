"""Questions to the daemon of this host, by HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from pacserve.errors import plain_reason

# Seconds that the user of a command waits for an answer; a daemon that runs answers in milliseconds.
ANSWER_TIMEOUT = 5.0
# Seconds that the user waits for the reasons of an answer: apt may be asked, which takes a slow machine some seconds.
WHY_TIMEOUT = 30.0
# Seconds that pacman's start is held up by a daemon that does not answer, before pacman is run without it.
CHECK_TIMEOUT = 0.5
# Bytes of an answer: the state of 1,000 peers has a tenth of that.
_BODY_LIMIT = 32 << 20
_READ_SIZE = 1 << 16


class SilentError(Exception):
    """The daemon can't be asked; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Reply:
    """
    An answer of the daemon.

    Attributes:
        date: When it was sent by the clock of the answering host, in seconds since the epoch; None where the answer does not say.
    """

    status: int
    body: bytes
    date: float | None


class Daemon:
    """
    The pacserve of this host.

    Args:
        clock: Returns seconds, counted from any moment.
    """

    def __init__(self, port: int, clock: Callable[[], float], host: str = "localhost") -> None:
        self.port = port
        self._host = host
        self._clock = clock

    def status(self) -> Reply:
        """
        Asks for `/status`.

        Raises:
            SilentError: The daemon can't be asked.
        """
        return self._ask("GET", "/status", ANSWER_TIMEOUT)

    def why(self, name: str) -> Reply:
        """
        Asks for the `/why` of a file or package.

        Raises:
            SilentError: The daemon can't be asked.
        """
        return self._ask("GET", f"/why/{quote(name, safe='')}", WHY_TIMEOUT)

    def check(self, timeout: float = CHECK_TIMEOUT) -> None:
        """
        Makes sure that the daemon runs and answers.

        Args:
            timeout: Seconds to wait for the answer.

        Raises:
            SilentError: The daemon does not answer, or another program listens on its port.
        """
        reply = self._ask("HEAD", "/info", timeout)
        if reply.status not in {200, 403}:  # 403: the daemon runs, but does not take this host for one of its LAN
            raise SilentError("the program on that port is not pacserve")

    def greet(self, host: str, port: int) -> None:
        """
        Makes sure that the daemon answers at another address, which is for apt.

        Raises:
            SilentError: It does not answer there.
        """
        reply = Daemon(port, self._clock, host)._ask("GET", "/", ANSWER_TIMEOUT)
        if reply.status >= 500 or b"pacserve" not in reply.body:
            raise SilentError("the program on that port is not pacserve")

    def _ask(self, method: str, target: str, timeout: float) -> Reply:
        deadline = self._clock() + timeout
        connection = http.client.HTTPConnection(self._host, self.port, timeout=timeout)
        try:
            connection.request(method, target, headers={"Connection": "close", "User-Agent": "pacsrv"})
            response = connection.getresponse()
            body = bytearray()
            while piece := response.read1(_READ_SIZE):
                body += piece
                if len(body) > _BODY_LIMIT:
                    raise SilentError("its answer is too long")
                if self._clock() > deadline:
                    raise TimeoutError
            if response.length:
                raise SilentError("its answer broke off")
        except TimeoutError:
            raise SilentError(f"no answer within {timeout:g} s") from None
        except ConnectionRefusedError:
            raise SilentError("no program listens there") from None
        except OSError as error:
            raise SilentError(plain_reason(error)) from None
        except http.client.HTTPException:
            raise SilentError("the program on that port does not speak HTTP") from None
        finally:
            connection.close()
        return Reply(response.status, bytes(body), _date(response.getheader("Date")))


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
