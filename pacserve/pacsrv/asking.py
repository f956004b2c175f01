"""Questions to the daemon of this host, by HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote

# Seconds.  Whoever types a command waits for it; a daemon that is up answers in milliseconds.
PATIENCE = 5.0
# Seconds until pacman is run without a daemon that does not answer.
SHORT_PATIENCE = 0.5
# Bytes: the state of 1,000 peers has a tenth of that.
_LIMIT = 32 << 20
_PIECE = 1 << 16


class SilentError(Exception):
    """The daemon can't be asked; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What was answered.

    Attributes:
        date: Seconds since the epoch when that was, as the answerer's clock has it; None where it does not say.
    """

    status: int
    body: bytes
    date: float | None


class Daemon:
    """
    The pacserve of this host.

    Args:
        clock: Gives seconds, from any beginning.
    """

    def __init__(self, port: int, clock: Callable[[], float], host: str = "localhost") -> None:
        self.port = port
        self._host = host
        self._clock = clock

    def status(self) -> Reply:
        """
        Its `/status`.

        Raises:
            SilentError: It can't be asked.
        """
        return self._ask("GET", "/status", PATIENCE)

    def why(self, name: str) -> Reply:
        """
        Its `/why` of a file or package.

        Raises:
            SilentError: It can't be asked.
        """
        return self._ask("GET", f"/why/{quote(name, safe='')}", PATIENCE)

    def check(self) -> None:
        """
        Makes sure that it is there and answers.

        Raises:
            SilentError: It does not, or someone else listens on its port.
        """
        reply = self._ask("HEAD", "/info", SHORT_PATIENCE)
        if reply.status not in {200, 403}:  # 403: this host is not of its LAN, odd but alive
            raise SilentError("what listens there is no pacserve")

    def _ask(self, method: str, target: str, patience: float) -> Reply:
        deadline = self._clock() + patience
        connection = http.client.HTTPConnection(self._host, self.port, timeout=patience)
        try:
            connection.request(method, target, headers={"Connection": "close", "User-Agent": "pacsrv"})
            response = connection.getresponse()
            body = bytearray()
            while piece := response.read1(_PIECE):
                body += piece
                if len(body) > _LIMIT:
                    raise SilentError("it sends too much")
                if self._clock() > deadline:
                    raise TimeoutError
            if response.length:
                raise SilentError("its answer broke off")
        except TimeoutError:
            raise SilentError(f"no answer within {patience:g} s") from None
        except ConnectionRefusedError:
            raise SilentError("nobody listens there") from None
        except OSError as error:
            raise SilentError((error.strerror or str(error) or "no connection").lower()) from None
        except http.client.HTTPException:
            raise SilentError("what listens there does not speak HTTP") from None
        finally:
            connection.close()
        return Reply(response.status, bytes(body), _date(response.getheader("Date")))


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
