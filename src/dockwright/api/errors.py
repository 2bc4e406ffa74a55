"""The one place where an exception becomes a status and a text."""

import http
import logging

from dockwright.base.errors import EngineError, spoken

_log = logging.getLogger("dockwright.api")


class ClientGone(ConnectionResetError):
    """The client has hung up; nobody is there to read an answer."""


class StreamBroken(Exception):
    """A streamed answer cannot be finished; the connection is cut so that the client notices."""


def translate(error: Exception, what: str) -> tuple[int, str]:
    """Status and text for `error`, which ended the request `what` (for the log)."""
    if isinstance(error, EngineError):
        level = logging.ERROR if error.status == 500 else logging.DEBUG
        _log.log(level, "Handler for %s returned error: %s", what, error.message)
        return error.status, error.message
    _log.error("Handler for %s returned error: %s", what, error, exc_info=error)
    return 500, spoken(error).message


def reason(status: int) -> str:
    """The reason phrase as Go's http.StatusText has it."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "status"
