"""The synchronous Engine API client of our own command line.

Start time is its contract: it imports `_socket` and nothing heavier (no http.client, email, ssl, socket, re); json is
loaded at the first document.
"""

from dockwright.client.client import Client
from dockwright.client.errors import ApiError, ConnectionFailed

__all__ = ["ApiError", "Client", "ConnectionFailed"]
