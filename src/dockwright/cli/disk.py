"""`system df -v`: every image, container and volume, and, from our daemon, whose each block of the data root is."""

from __future__ import annotations

from dockwright.cli.commands import images, ps, volume_ls
from dockwright.cli.formatting import Table, ago, render, row_json
from dockwright.cli.terminal import out
from dockwright.client.errors import ApiError
from dockwright.grammar.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context

IMAGES = (
    "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}"
)
CONTAINERS = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}"
VOLUMES = "{{.Name}}\t{{.Links}}\t{{.Size}}"
CACHE = "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}"
CACHE_HEADERS = {
    "ID": "CACHE ID", "CacheType": "CACHE TYPE", "Size": "SIZE", "CreatedSince": "CREATED", "LastUsedSince": "LAST USED",
    "UsageCount": "USAGE", "Shared": "SHARED",
}  # fmt: skip
KINDS = {"Kind": "KIND", "Size": "SIZE"}
PATHS = {"Path": "UNOWNED PATH", "Size": "SIZE"}
_TYPE = "*formatter.diskUsageContext"


def show(context: Context, usage: dict[str, Any], form: str) -> None:
    """Print all of it, or fill a template with it."""
    short = not form
    found = {
        "Images": [_image(image, short) for image in usage.get("Images") or ()],
        "Containers": [_container(container, short) for container in usage.get("Containers") or ()],
        "Volumes": [volume_ls.row(volume) for volume in usage.get("Volumes") or ()],
        "BuildCache": [_record(record) for record in usage.get("BuildCache") or ()],
    }
    if form in ("json", "{{json .}}"):
        parts = ",".join(f'"{name}":[{",".join(map(row_json, rows))}]' for name, rows in found.items())
        out("{" + parts + "}\n")
    elif form:
        _template(found, form)
    else:
        _tables(found)
        _places(context)


def _tables(found: dict[str, list[dict[str, Any]]]) -> None:
    out("Images space usage:\n\n" + render(Table(images.HEADERS, IMAGES, "ID", _TYPE), found["Images"], ""))
    out("\nContainers space usage:\n\n" + render(Table(ps.HEADERS, CONTAINERS, "ID", _TYPE), found["Containers"], ""))
    out("\nLocal Volumes space usage:\n\n" + render(Table(volume_ls.HEADERS, VOLUMES, "Name", _TYPE), found["Volumes"], ""))
    own = sum(record["Bytes"] for record in found["BuildCache"] if record["Shared"] == "false")
    out(f"\nBuild cache usage: {human_size(own)}\n\n")
    out(render(Table(CACHE_HEADERS, CACHE, "ID", _TYPE), found["BuildCache"], ""))


def _template(found: dict[str, list[dict[str, Any]]], form: str) -> None:
    from dockwright.cli.failure import Failure
    from dockwright.grammar.template import Fields, Template, TemplateError

    fields = Fields({name: [Fields(row) for row in rows] for name, rows in found.items()})
    fields.type_name = _TYPE
    try:
        out(Template(form.removeprefix("table").lstrip(), {"json": row_json}).execute(fields))
    except TemplateError as error:
        raise Failure(f"{error}\n") from error


def _places(context: Context) -> None:
    """Where every block of the data root is, if the daemon can tell."""
    try:
        disk = context.client.get("/dockwright/v1/system/disk")
    except ApiError:
        return
    out(f"\nDisk usage of {disk['Root']}: {human_size(disk['Total'])}\n\n")
    out(render(Table(KINDS, "{{.Kind}}\t{{.Size}}", "Kind", _TYPE), _sized(disk["Kinds"]), ""))
    if disk["Unowned"]:
        out("\n" + render(Table(PATHS, "{{.Path}}\t{{.Size}}", "Path", _TYPE), _sized(disk["Unowned"]), ""))


def _sized(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "Size": human_size(row["Size"])} for row in rows]


def _image(image: dict[str, Any], short: bool) -> dict[str, Any]:
    """Docker shows the first of its names here."""
    repository, tag, _ = images.names({**image, "RepoDigests": None}, False)[0]
    return images.row(image, repository, tag, "", short)


def _container(container: dict[str, Any], short: bool) -> dict[str, Any]:
    row = ps.row(container, short)
    return {**row, "Size": row["Size"].partition(" ")[0]}


def _record(record: dict[str, Any]) -> dict[str, Any]:
    """A record of the build cache."""
    created, used = record.get("CreatedAt") or "", record.get("LastUsedAt") or ""
    return {
        "ID": record["ID"][:12], "CacheType": record.get("Type", ""), "Size": human_size(record.get("Size", 0)),
        "CreatedSince": _since(created), "LastUsedSince": _since(used), "UsageCount": str(record.get("UsageCount", 0)),
        "Shared": str(bool(record.get("Shared"))).lower(), "Bytes": record.get("Size", 0),
    }  # fmt: skip


def _since(moment: str) -> str:
    from dockwright.grammar.timestamps import nanoseconds

    return ago(nanoseconds(moment) / 1e9) if moment else ""
