"""What can go wrong between the command line and a daemon."""


class ApiError(Exception):
    """The daemon refused: its status and its text.

    Args:
        status: HTTP status code.
        message: the daemon's text, without "Error response from daemon: ".
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ConnectionFailed(Exception):
    """No daemon answers at the address, or it broke off.

    Args:
        message: the text in docker's words.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ProtocolError(ConnectionFailed):
    """What came back is not HTTP/1.1."""
