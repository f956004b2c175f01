"""What went wrong with a request to another host, in a few words for people, and whose fault it was."""

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

from pacserve.errors import FetchError, RemoteProtocolError

# The most words of a foreign library that are shown.
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
    Returns the error as pacserve raises it, its message short and without the URL.

    Args:
        error: What an agent's request failed with.

    Returns:
        None where the error is no matter of the network, and so a defect of pacserve.
    """
    if isinstance(error, FetchError):
        return error
    if isinstance(error, (ResponseFailed, RequestTransmissionFailed, RequestGenerationFailed)):
        return _from_inside(error)
    if isinstance(error, SchemeNotSupported):
        return FetchError("neither http nor https")
    if isinstance(error, ValueError):  # twisted refuses the URL, or its host name
        return FetchError("no valid URL")
    text = _network_words(error)
    return FetchError(text) if text is not None else None


def _from_inside(error: ResponseFailed | RequestTransmissionFailed | RequestGenerationFailed) -> FetchError:
    """What the connection was lost for: the network, a limit of ours, or whatever the answer made twisted's parser raise."""
    for reason in error.reasons:
        cause = reason.value
        if isinstance(cause, FetchError):
            return cause
        text = _network_words(cause)
        if text is not None:
            return FetchError(text)
    return RemoteProtocolError("answered what is no HTTP")


def _network_words(error: BaseException) -> str | None:
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return words
    if isinstance(error, ConnectError):
        return os.strerror(error.osError).lower() if error.osError else "no connection"
    if isinstance(error, TLSError):
        return _tls_words(error)
    return None


def _tls_words(error: TLSError) -> str:
    """Returns the last of OpenSSL's own words, such as `certificate verify failed`."""
    try:
        words = str(error.args[0][-1][-1])
    except (IndexError, TypeError, KeyError):
        words = ""
    return f"TLS: {words[:_MESSAGE_LIMIT] or 'connection failed'}"
