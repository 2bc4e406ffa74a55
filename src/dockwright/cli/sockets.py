"""Whether a unix socket is alive."""

from __future__ import annotations

import _socket


def listens(path: str) -> bool:
    """Whether somebody accepts connections at a unix socket; one we may not open counts as somebody."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        sock.connect(path)
    except PermissionError:
        return True
    except OSError:
        return False
    finally:
        sock.close()
    return True
