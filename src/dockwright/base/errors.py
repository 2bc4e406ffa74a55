"""The closed set of error kinds, each with the HTTP status it has at the API's border.

    EngineError
    |-- InvalidParameter   400  the request is malformed or asks for the impossible
    |-- Unauthorized       401  credentials are missing or wrong
    |-- Forbidden          403  understood and refused
    |-- NotFound           404  no such container, image, network, volume, exec
    |-- Conflict           409  the object's state does not allow it
    |-- NotModified        304  nothing to do (already started, already stopped); no body
    |-- TooLarge           413  a body or header beyond its limit
    |-- Unavailable        503  a part of the engine is not there just now
    |-- NotSupported       501  Docker's "not implemented"
    `-- Internal           500  everything that has no class, in Docker's words

Only the message travels to clients, and clients match on it: write it as Docker does.
This module is imported by the runtime and the shim: it imports nothing.
"""


class EngineError(Exception):
    """An error with a text for the user.

    Args:
        message: the text as Docker prints it.
    """

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def prefixed(self, prefix: str) -> "EngineError":
        """The same kind of error with `prefix` before its text: a prefix keeps the class."""
        return type(self)(prefix + self.message)


class InvalidParameter(EngineError):
    """The request is malformed or asks for the impossible (400)."""

    status = 400


class Unauthorized(EngineError):
    """Credentials are missing or wrong (401)."""

    status = 401


class Forbidden(EngineError):
    """Understood and refused (403)."""

    status = 403


class NotFound(EngineError):
    """No such object (404)."""

    status = 404


class Conflict(EngineError):
    """The object's state does not allow it (409)."""

    status = 409


class NotModified(EngineError):
    """Nothing to do (304)."""

    status = 304


class TooLarge(EngineError):
    """A body or header beyond its limit (413)."""

    status = 413


class Unavailable(EngineError):
    """A part of the engine is not there just now (503)."""

    status = 503


class NotSupported(EngineError):
    """Docker's "not implemented" (501)."""

    status = 501


class Internal(EngineError):
    """Everything that has no class (500)."""

    status = 500


def spoken(error: Exception) -> EngineError:
    """An error for the user: ours as it is, one of the system (a full disk) in its own words."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, OSError) and error.strerror:
        return Internal(f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower())
    return Internal(str(error) or type(error).__name__)
