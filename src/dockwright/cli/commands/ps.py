"""dockwright ps: containers."""

from __future__ import annotations

from dockwright.cli.filters import filters_of
from dockwright.cli.formatting import Table, ago, ellipsis, label_of, labels_text, show
from dockwright.cli.portlist import ports_text
from dockwright.cli.terminal import err
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/all:bool f/filter:filter format n/last:int l/latest:bool no-trunc:bool q/quiet:bool s/size:bool")
ARGUMENTS = (0, 0)
IGNORED = "WARNING: Ignoring custom format, because both --format and --quiet are set.\n"
DEFAULT = (
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
)
HEADERS = {
    "ID": "CONTAINER ID", "Names": "NAMES", "Image": "IMAGE", "Command": "COMMAND", "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED", "Ports": "PORTS", "State": "STATE", "Status": "STATUS", "Size": "SIZE", "Labels": "LABELS",
    "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS", "Platform": "PLATFORM",
}  # fmt: skip
RAW = (
    "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{.State}}\n"
    "status: {{.Status}}\nnames: {{.Names}}\nlabels: {{.Labels}}\nports: {{.Ports}}\n"
)
FAULTS = ("failed to parse template", "failed to execute template")
SHORT = 12
COMMAND_WIDTH, MOUNT_WIDTH = 20, 15

RESPECTED = " (as the host's firewall allows)"  # dockwrightd --published-ports=respect-host


def run(context: Context, given: Given) -> int:
    """List them."""
    form, quiet, size = given.text("format"), given.flag("quiet"), given.flag("size")
    if not form and not quiet:
        form = str(context.config.get("psFormat", ""))
    if quiet and form not in ("", "table", "json", "raw"):
        err(IGNORED)
    size = size or ".Size" in form or "json ." in form.replace("}", " ").replace("json . ", "json .")
    query = {
        "all": given.flag("all"), "limit": 1 if given.flag("latest") else _limit(given), "size": size,
        "filters": filters_of(given),
    }  # fmt: skip
    response = context.client.request("GET", "/containers/json", query)
    containers = response.json()
    default = DEFAULT + ("\t{{.Size}}" if given.flag("size") else "")
    table = Table(HEADERS, default, "ID", "*formatter.ContainerContext", RAW, FAULTS)
    rows = [row(container, not given.flag("no-trunc")) for container in containers]
    if response.headers.get("dockwright-published-ports") == "respect-host":
        for shown in rows:
            shown["Ports"] += RESPECTED if "->" in shown["Ports"] else ""
    show(table, rows, form, quiet)
    return 0


def _limit(given: Given) -> int | None:
    last = given.number("last", -1)
    return last if last > 0 else None


def row(container: dict[str, Any], short: bool) -> dict[str, Any]:
    """A container's fields as docker prints them.

    Args:
        short: cut what is long (not so with --no-trunc).
    """
    names = [name.removeprefix("/") for name in container.get("Names") or ()]
    labels, mounts = container.get("Labels"), container.get("Mounts") or ()
    command = container["Command"]
    networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return {
        "ID": container["Id"][:SHORT] if short else container["Id"],
        "Names": ",".join([name for name in names if "/" not in name] if short else names),
        "Image": _image(container, short),
        "Command": go_quote(ellipsis(command, COMMAND_WIDTH) if short else command),
        "CreatedAt": _created(container["Created"]),
        "RunningFor": ago(container["Created"]),
        "Ports": ports_text(container.get("Ports") or []),
        "State": container.get("State", ""),
        "Status": container["Status"],
        "Size": _size(container),
        "Labels": labels_text(labels),
        "Label": label_of(labels),
        "Mounts": ",".join(_mount(mount, short) for mount in mounts),
        "LocalVolumes": str(sum(mount.get("Driver") == "local" for mount in mounts)),
        "Networks": ",".join(sorted(networks)),
        "Platform": (container.get("ImageManifestDescriptor") or {}).get("platform"),
    }


def _image(container: dict[str, Any], short: bool) -> str:
    image: str = container["Image"]
    if not image:
        return "<no image>"
    if not short:
        return image
    ident: str = container.get("ImageID", "").partition(":")[2][:SHORT]
    if ident and ident == image.partition(":")[2][:SHORT]:
        return ident
    if "@" not in image and not image.startswith(("docker.io/", "index.docker.io/")):
        return image
    from dockwright.base.errors import InvalidParameter
    from dockwright.grammar.reference import parse

    try:
        reference = parse(image)
    except InvalidParameter:
        return image
    return reference.familiar_name + (f":{reference.tag}" if reference.tag else "")


def _created(seconds: int) -> str:
    from dockwright.grammar.timestamps import go_local

    return go_local(seconds)


def _size(container: dict[str, Any]) -> str:
    from dockwright.grammar.units import human_size_three

    writable, total = container.get("SizeRw", 0), container.get("SizeRootFs", 0)
    text = human_size_three(writable)
    return f"{text} (virtual {human_size_three(total)})" if total > 0 else text


def _mount(mount: dict[str, Any], short: bool) -> str:
    name = mount.get("Name") or mount.get("Source", "")
    return ellipsis(name, MOUNT_WIDTH) if short else name


ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def go_quote(text: str) -> str:
    """strconv.Quote."""
    return '"' + "".join(ESCAPES.get(letter) or _printable(letter) for letter in text) + '"'


def _printable(letter: str) -> str:
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 128 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
