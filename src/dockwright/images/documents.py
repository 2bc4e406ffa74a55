"""What the API says of images: list, inspect and history, in the newest shape."""

import sqlite3
from collections.abc import Callable
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.base.times import ZERO, rfc3339
from dockwright.images import created
from dockwright.images.listing import Filters, Listed, filtered, named
from dockwright.images.store import Image

FILTERS = ("reference", "dangling", "label", "before", "since", "until")


def summaries(
    images: list[Listed], all: bool, filters: Filters, resolve: Callable[[str], Image], shared: dict[str, int] | None
) -> list[dict[str, Any]]:
    """The list, filtered, newest first.

    Args:
        all: also images without a name that others were built on. shared: SharedSize by image id, None to leave it out (-1).

    Raises:
        InvalidParameter: an unknown filter or a bad value. NotFound: `before` or `since` of no image.
    """
    for name in filters:
        if name not in FILTERS:
            raise InvalidParameter(f"invalid filter '{name}'")
    patterns = filters.get("reference") or []
    shown = [image for image in images if all or image.is_head or image.tags or image.digests]
    rows = [_summary(image, patterns, shared) for image in filtered(shown, filters, resolve)]
    return [row for row in rows if row["RepoTags"] or row["RepoDigests"] or not patterns]


def _summary(image: Listed, patterns: list[str], shared: dict[str, int] | None) -> dict[str, Any]:
    tags, digests = (
        [name for name in names if not patterns or any(named(name, p) for p in patterns)]
        for names in (image.tags, image.digests)
    )
    return {
        "Containers": -1, "Created": image.created // 1_000_000_000, "Id": image.id, "Labels": image.labels,
        "ParentId": image.parent, "RepoDigests": digests, "RepoTags": tags,
        "SharedSize": -1 if shared is None else shared.get(image.id, 0), "Size": image.size,
    }  # fmt: skip


def shared_sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """By image, the bytes of its layers that other images have as well."""
    rows = connection.execute(
        "SELECT image, sum(size) AS size FROM image_layer WHERE chain IN"
        " (SELECT chain FROM image_layer GROUP BY chain HAVING count(DISTINCT image) > 1) GROUP BY image"
    )
    return {row["image"]: row["size"] for row in rows}


def inspect(image: Image, graph_driver: dict[str, Any]) -> dict[str, Any]:
    """One image."""
    config, history = image.config, image.config.get("history") or []
    return {
        "Id": image.id, "RepoTags": image.familiar_tags, "RepoDigests": image.familiar_digests, "Parent": image.parent,
        "Comment": config.get("comment") or (history[-1].get("comment") or "" if history else ""),
        "Created": config.get("created") or ZERO, "DockerVersion": config.get("docker_version") or "",
        "Author": config.get("author") or "", "Config": _config(image), "Architecture": config.get("architecture") or "",
        **({"Variant": config["variant"]} if config.get("variant") else {}), "Os": config.get("os") or "linux",
        **({"OsVersion": config["os.version"]} if config.get("os.version") else {}), "Size": image.size,
        "GraphDriver": graph_driver,
        "RootFS": {"Type": "layers", **({"Layers": image.diff_ids} if image.diff_ids else {})},
        "Metadata": {"LastTagTime": rfc3339(image.tagged) if image.tagged else ZERO},
    }  # fmt: skip


def _config(image: Image) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False, "AttachStderr": False,
        "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None, "Cmd": None, "Image": "", "Volumes": None,
        "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": None,
    }  # fmt: skip
    return {**defaults, **image.container_config}


def history(ancestry: list[Image], sizes: list[int]) -> list[dict[str, Any]]:
    """The history, newest first; layers' sizes go to the entries that made layers.

    Args:
        ancestry: the image, and the images it was built on here, nearest first: the older entries' ids.
    """
    image = ancestry[0]
    rows, remaining = [], list(sizes)
    for entry in image.config.get("history") or ({} for _ in sizes):
        size = remaining.pop(0) if remaining and not entry.get("empty_layer") else 0
        when = created.nanoseconds(str(entry.get("created") or "")) or 0
        rows.append({
            "Id": "<missing>", "Created": when // 1_000_000_000, "CreatedBy": entry.get("created_by") or "", "Tags": None,
            "Size": size, "Comment": entry.get("comment") or "",
        })  # fmt: skip
    rows.reverse()
    for row, ancestor in zip(rows, ancestry, strict=False):
        row["Id"], row["Tags"] = ancestor.id, ancestor.familiar_tags or None
    return rows
