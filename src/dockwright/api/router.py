"""Paths to handlers.

A route's path has at most one variable, `{name}`, which may contain slashes (image names do): it is found by what
stands before and after it. The longest ending wins.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dockwright.api.answers import Answer
from dockwright.api.exchange import Exchange
from dockwright.api.query import Query, unescape
from dockwright.api.versions import accept
from dockwright.base.errors import InvalidParameter, NotFound

Handler = Callable[[Exchange], Awaitable[Answer | None]]

_VERSION = re.compile(r"/v([0-9][0-9.]*)(/.*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
VARIABLE, SECOND = "{name}", "{second}"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        streams: the handler only streams to the client, so it is stopped when the client hangs up.
    """

    method: str
    path: str
    handler: Handler
    streams: bool = False

    @property
    def prefix(self) -> str:
        return self.path.partition(VARIABLE)[0]

    @property
    def suffix(self) -> str:
        return self.path.partition(VARIABLE)[2]


class Router:
    """The table of routes; `find` fills in an exchange's version, path, name and query."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self._fixed = {(route.method, route.path): route for route in routes if VARIABLE not in route.path}
        self._open: dict[tuple[str, str], list[Route]] = {}
        for route in sorted(routes, key=lambda route: -len(route.suffix)):
            if VARIABLE in route.path:
                self._open.setdefault((route.method, _first(route.path)), []).append(route)

    def find(self, exchange: Exchange) -> Route:
        """The route of `exchange`.

        Raises:
            NotFound: `page not found`. InvalidParameter: a version we do not speak, a malformed path or query.
        """
        raw, _, query = exchange.target.partition("?")
        exchange.path = path = self._path(exchange, unescape(raw))
        exchange.query = Query(query)
        method = exchange.method
        route = self._fixed.get((method, path)) or self._match(exchange, method, path)
        if not route:
            raise NotFound("page not found")
        return route

    def _path(self, exchange: Exchange, path: str) -> str:
        if _CONTROL.search(path):
            raise InvalidParameter("invalid character in path")
        if match := _VERSION.fullmatch(path):
            exchange.version = accept(match[1])
            return match[2]
        return path

    def _match(self, exchange: Exchange, method: str, path: str) -> Route | None:
        for route in self._open.get((method, _first(path)), ()):
            prefix, suffix = route.prefix, route.suffix
            if suffix.endswith(SECOND):
                name, found, second = path[len(prefix) :].rpartition(suffix.removesuffix(SECOND))
                if path.startswith(prefix) and found and name and second:
                    exchange.name, exchange.second = name, second
                    return route
            elif path.startswith(prefix) and path.endswith(suffix) and len(path) > len(prefix) + len(suffix):
                exchange.name = path[len(prefix) : len(path) - len(suffix)]
                return route
        return None


def _first(path: str) -> str:
    return path[1:].partition("/")[0]
