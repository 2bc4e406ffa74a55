"""What the API says of images: list, inspect and history, in the newest shape."""

from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.base.times import ZERO, rfc3339
from dockwright.images.store import Image

FILTERS = ("reference", "dangling", "label", "before", "since")
_TRUE, _FALSE = ("1", "true"), ("0", "false")


def created_unix(image: Image) -> int:
    """When the image was made, in seconds since the epoch; 0 if it does not say."""
    return _unix(str(image.config.get("created") or ""))


def _unix(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text[:19] + "+00:00").timestamp())
    except ValueError:
        return 0


def summaries(
    images: list[Image], filters: dict[str, list[str]], resolve: Callable[[str], Image], shared_size: bool
) -> list[dict[str, Any]]:
    """The list, filtered.

    Raises:
        InvalidParameter: an unknown filter. NotFound: `before` or `since` of no image.
    """
    for name in filters:
        if name not in FILTERS:
            raise InvalidParameter(f"invalid filter '{name}'")
    chosen = [image for image in images if _dangling(image, filters) and _labelled(image, filters)]
    for limit in filters.get("before") or ():
        chosen = [image for image in chosen if _stamp(image) < _stamp(resolve(limit))]
    for limit in filters.get("since") or ():
        chosen = [image for image in chosen if _stamp(image) > _stamp(resolve(limit))]
    rows = [_summary(image, filters.get("reference") or []) for image in chosen]
    return [row for row in rows if row["RepoTags"] or not filters.get("reference")]


def _stamp(image: Image) -> str:
    return str(image.config.get("created") or "")


def _dangling(image: Image, filters: dict[str, list[str]]) -> bool:
    for value in filters.get("dangling") or ():
        if value not in _TRUE + _FALSE:
            raise InvalidParameter(f"invalid filter 'dangling=[{value}]'")
        if (value in _TRUE) == bool(image.names):
            return False
    return True


def _labelled(image: Image, filters: dict[str, list[str]]) -> bool:
    own = image.container_config.get("Labels") or {}
    for wanted in filters.get("label") or ():
        key, equals, value = wanted.partition("=")
        if key not in own or (equals and own[key] != value):
            return False
    return True


def _summary(image: Image, patterns: list[str]) -> dict[str, Any]:
    tags = [tag for tag in image.familiar_tags if not patterns or any(_matches(tag, p) for p in patterns)]
    return {
        "Containers": -1, "Created": created_unix(image), "Id": image.id,
        "Labels": image.container_config.get("Labels"), "ParentId": "", "RepoDigests": [], "RepoTags": tags,
        "SharedSize": -1, "Size": image.size,
    }  # fmt: skip


def _matches(tag: str, pattern: str) -> bool:
    """Go's path.Match: a star does not cross a slash."""
    for candidate in (tag, tag.rpartition(":")[0]):
        parts, wanted = candidate.split("/"), pattern.split("/")
        if len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted)):
            return True
    return False


def inspect(image: Image, graph_driver: dict[str, Any]) -> dict[str, Any]:
    """One image."""
    config, history = image.config, image.config.get("history") or []
    return {
        "Id": image.id, "RepoTags": image.familiar_tags, "RepoDigests": [], "Parent": "",
        "Comment": config.get("comment") or (history[-1].get("comment", "") if history else ""),
        "Created": config.get("created") or ZERO, "DockerVersion": config.get("docker_version") or "",
        "Author": config.get("author") or "", "Config": _config(image), "Architecture": config.get("architecture") or "",
        **({"Variant": config["variant"]} if config.get("variant") else {}),
        "Os": config.get("os") or "linux", "Size": image.size, "GraphDriver": graph_driver,
        "RootFS": {"Type": "layers", "Layers": image.diff_ids}, "Metadata": {"LastTagTime": rfc3339(image.tagged)},
    }  # fmt: skip


def _config(image: Image) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False, "AttachStderr": False,
        "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None, "Cmd": None, "Image": "", "Volumes": None,
        "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": None,
    }  # fmt: skip
    return {**defaults, **image.container_config}


def history(image: Image, sizes: list[int]) -> list[dict[str, Any]]:
    """The history, newest first; layers' sizes go to the entries that made layers."""
    rows, remaining = [], list(sizes)
    entries = image.config.get("history") or [{} for _ in sizes]
    for entry in entries:
        size = remaining.pop(0) if remaining and not entry.get("empty_layer") else 0
        rows.append({
            "Id": "<missing>", "Created": _unix(str(entry.get("created") or "")), "CreatedBy": entry.get("created_by", ""),
            "Tags": None, "Size": size, "Comment": entry.get("comment", ""),
        })  # fmt: skip
    rows.reverse()
    if rows:
        rows[0]["Id"], rows[0]["Tags"] = image.id, image.familiar_tags or None
    return rows
