"""dockwright events: what happens, as it happens."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.filters import filters_of
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/filter:filter format since until")
ARGUMENTS = (0, 0)
PARSE_STATUS = 64


def run(context: Context, given: Given) -> int:
    """Print events until --until, or until the daemon ends."""
    query = {"since": _moment(given, "since"), "until": _moment(given, "until"), "filters": filters_of(given)}
    show = _shower(given.text("format"))
    for event in context.client.request("GET", "/events", query).documents():
        out(show(event) + "\n")
    return 0


def _moment(given: Given, flag: str) -> str:
    if not given.text(flag):
        return ""
    import time

    from dockwright.grammar.timestamps import parse_since

    try:
        return parse_since(given.text(flag), time.time_ns())
    except ValueError as error:
        raise Failure(f"{error}\n") from error


def _shower(form: str) -> Callable[[dict[str, Any]], str]:
    if not form:
        return line
    from dockwright.cli.formatting import escapes
    from dockwright.grammar.template import Fields, Template, TemplateError

    try:
        template = Template("{{json .}}" if form == "json" else escapes(form))
    except TemplateError as error:
        raise Failure(f"Error parsing format: {error}\n", PARSE_STATUS) from error

    def fill(event: dict[str, Any]) -> str:
        event["Actor"]["Attributes"] = dict(sorted((event["Actor"].get("Attributes") or {}).items()))  # as Go writes maps
        if form == "json":
            return template.execute(event)
        names = {"ID": event.get("id", ""), "Status": event.get("status", ""), "From": event.get("from", "")}
        fields = Fields(names | {"TimeNano": event["timeNano"], "Time": event["time"], "Scope": event.get("scope", "")} | event)
        fields.type_name = "*events.Message"
        try:
            return template.execute(fields)
        except TemplateError as error:
            raise Failure(f"Error parsing format: {error}\n", PARSE_STATUS) from error

    return fill


def line(event: dict[str, Any]) -> str:
    """`2026-01-02T03:04:05.000000006Z container start ID (image=busybox, name=x)`."""
    from dockwright.grammar.timestamps import rfc3339_local

    nano = event.get("timeNano") or event["time"] * 10**9
    moment = rfc3339_local(nano // 10**9, f".{nano % 10**9:09d}")
    attributes = event["Actor"].get("Attributes") or {}
    text = f"{moment} {event['Type']} {event['Action']} {event['Actor']['ID']}"
    if not attributes:
        return text
    return f"{text} ({', '.join(f'{name}={attributes[name]}' for name in sorted(attributes))})"
