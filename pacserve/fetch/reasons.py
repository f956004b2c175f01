"""Turns failures of requests to other hosts into errors of pacserve, with a few words for people."""

from __future__ import annotations

import os

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError, TCPTimedOutError, UnknownHostError
from twisted.internet.error import ConnectionRefusedError as RefusedError
from twisted.internet.error import TimeoutError as ConnectTimeoutError
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed
from twisted.web.error import SchemeNotSupported

from pacserve.errors import FetchError, RemoteProtocolError, reason_of

# Characters of a foreign library's message that are shown.
_MESSAGE_LIMIT = 80

_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((RefusedError,), "connection refused"),
    ((ConnectTimeoutError, TCPTimedOutError), "connection timed out"),
    ((DNSLookupError, UnknownHostError), "name not found"),
    ((ConnectingCancelledError, ConnectionClosed, CancelledError), "connection closed"),
    ((VerificationError,), "TLS: certificate is for another name"),
)


def translate(error: BaseException) -> FetchError | None:
    """
    Returns pacserve's error for a failure, with a short message that does not repeat the URL.

    Args:
        error: The failure of an agent's request.

    Returns:
        None where the failure does not come from the network or the other host, and so is a defect of pacserve.
    """
    if isinstance(error, FetchError):
        return error
    if isinstance(error, (ResponseFailed, RequestTransmissionFailed, RequestGenerationFailed)):
        return _lost_connection(error)
    if isinstance(error, SchemeNotSupported):
        return FetchError("neither http nor https")
    if isinstance(error, ValueError):  # Twisted refuses the URL or its host name
        return FetchError("no valid URL")
    text = _network_words(error)
    return FetchError(text) if text is not None else None


def _lost_connection(error: ResponseFailed | RequestTransmissionFailed | RequestGenerationFailed) -> FetchError:
    """Returns why the connection was lost: the network, a limit of ours, or an answer that Twisted's parser refused."""
    for reason in error.reasons:
        cause = reason.value
        if isinstance(cause, FetchError):
            return cause
        text = _network_words(cause)
        if text is not None:
            return FetchError(text)
    return RemoteProtocolError("the answer is not HTTP")


def _network_words(error: BaseException) -> str | None:
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return words
    if isinstance(error, ConnectError):
        return os.strerror(error.osError).lower() if error.osError else "no connection"
    if isinstance(error, TLSError):
        return _tls_words(error)
    if isinstance(error, OSError):  # of a socket, or of a file that TLS reads
        return reason_of(error)
    return None


def _tls_words(error: TLSError) -> str:
    """Returns the last of OpenSSL's own messages, such as `certificate verify failed`."""
    try:
        words = str(error.args[0][-1][-1])
    except (IndexError, TypeError, KeyError):
        words = ""
    return f"TLS: {words[:_MESSAGE_LIMIT] or 'connection failed'}"
