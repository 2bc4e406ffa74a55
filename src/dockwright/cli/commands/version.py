"""dockwright version: ours and the daemon's."""

from __future__ import annotations

import sys

from dockwright import __version__
from dockwright.cli.failure import Failure
from dockwright.cli.terminal import out
from dockwright.client.client import NEWEST
from dockwright.client.errors import ConnectionFailed
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/format")
ARGUMENTS = (0, 0)
LEAST, PADDING = 20, 1
PARSE_STATUS = 64
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()


def run(context: Context, given: Given) -> int:
    """Print both; without a daemon ours, and then what is wrong."""
    server, problem = None, None
    try:
        server = context.client.get("/version")
        api = context.client.version
    except ConnectionFailed as error:
        problem, api = error, NEWEST
    document = {"Client": client_version(api, context_name(context)), "Server": _detailed(server) if server else None}
    form = given.text("format")
    out(_templated(document, form) + "\n" if form else _plain(document))
    if problem:
        raise problem
    return 0


def client_version(api: str, context: str) -> dict[str, Any]:
    """What we are."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}
    import posix

    return {
        "Version": __version__,
        "ApiVersion": api,
        "DefaultAPIVersion": NEWEST,
        "PythonVersion": ".".join(str(part) for part in sys.version_info[:3]),
        "Os": "linux",
        "Arch": machine.get(posix.uname().machine, posix.uname().machine),
        "Context": context,
    }


def context_name(context: Context) -> str:
    """The docker context in use, "default" for none."""
    from dockwright.cli.settings import environment

    if context.options.list("host") or environment("DOCKER_HOST"):
        return "default"
    name = context.options.text("context") or environment("DOCKER_CONTEXT")
    return str(name or context.config.get("currentContext") or "default")


def _detailed(server: dict[str, Any]) -> dict[str, Any]:
    """The daemon's document; one before 1.35 names no components, then the engine is all of them."""
    if not server.get("Components"):
        names = ("ApiVersion", "MinAPIVersion", "GoVersion", "GitCommit", "BuildTime", "Os", "Arch", "Experimental")
        details = {name: server.get(name, "") for name in names}
        server["Components"] = [{"Name": "Engine", "Version": server["Version"], "Details": details}]
    for component in server["Components"]:
        details = component["Details"] = dict(sorted((component.get("Details") or {}).items()))
        if component["Name"] == "Engine" and details.get("BuildTime"):
            details["BuildTime"] = ansic(details["BuildTime"])
    return server


def ansic(text: str) -> str:
    """An RFC 3339 time as `Mon Jan  2 15:04:05 2006`; anything else as it is."""
    from dockwright.grammar.timestamps import nanoseconds

    try:
        days = nanoseconds(text) // (86400 * 10**9)
    except ValueError:
        return text
    return f"{DAYS[(days + 3) % 7]} {MONTHS[int(text[5:7]) - 1]} {int(text[8:10]):2d} {text[11:19]} {text[:4]}"


def _templated(document: dict[str, Any], form: str) -> str:
    from dockwright.cli.formatting import escapes
    from dockwright.grammar.template import Fields, Template, TemplateError

    try:
        template = Template("{{json .}}" if form == "json" else escapes(form), name="version")
    except TemplateError as error:
        raise Failure(f"template parsing error: {error}\n", PARSE_STATUS) from error
    try:
        fields = Fields(document)
        fields.type_name = "system.versionInfo"
        return template.execute(fields)
    except TemplateError as error:
        out("\n")
        raise Failure(f"{error}\n") from error


def _plain(document: dict[str, Any]) -> str:
    client, server = document["Client"], document["Server"]
    api = client["ApiVersion"]
    lowered = f" (downgraded from {client['DefaultAPIVersion']})" if api != client["DefaultAPIVersion"] else ""
    lines = [
        "Client:",
        f" Version:\t{client['Version']}",
        f" API version:\t{api}{lowered}",
        f" Python version:\t{client['PythonVersion']}",
        f" OS/Arch:\t{client['Os']}/{client['Arch']}",
        f" Context:\t{client['Context']}",
    ]
    if server:
        lines += ["", *_server(server)]
    from dockwright.grammar.tabwriter import align

    return align("\n".join(lines) + "\n", LEAST, PADDING)


def _server(server: dict[str, Any]) -> list[str]:
    platform = (server.get("Platform") or {}).get("Name", "")
    lines = [f"Server:{' ' + platform if platform else ''}"]
    for component in server["Components"]:
        details = component.get("Details") or {}
        lines += [f" {component['Name']}:", f"  Version:\t{component['Version']}"]
        if component["Name"] != "Engine":
            lines += [f"  {name}:\t{details[name]}" for name in sorted(details)]
            continue
        lines += [
            f"  API version:\t{details.get('ApiVersion', '')} (minimum version {details.get('MinAPIVersion', '')})",
            f"  Go version:\t{details.get('GoVersion', '')}",
            f"  Git commit:\t{details.get('GitCommit', '')}",
            f"  Built:\t{details.get('BuildTime', '')}",
            f"  OS/Arch:\t{details.get('Os', '')}/{details.get('Arch', '')}",
            f"  Experimental:\t{details.get('Experimental', '')}",
        ]
    return lines
