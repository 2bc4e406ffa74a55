"""What the API says of images: list, inspect and history, in the newest shape."""

import sqlite3
import time
from collections.abc import Callable
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.base.times import ZERO, rfc3339
from dockwright.grammar import reference
from dockwright.images import created
from dockwright.images.glob import matches
from dockwright.images.store import Image

FILTERS = ("reference", "dangling", "label", "before", "since", "until")
_TRUE, _FALSE = ("1", "true", "t", "T", "TRUE", "True"), ("0", "false", "f", "F", "FALSE", "False")
Filters = dict[str, list[str]]


def summaries(
    images: list[Image], filters: Filters, resolve: Callable[[str], Image], shared: dict[str, int] | None,
    parents: dict[str, str], all: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """The list, filtered, newest first.

    Args:
        shared: SharedSize by image id, None to leave it out (-1). parents: of images. all: also those that only are parents.

    Raises:
        InvalidParameter: an unknown filter or a bad value. NotFound: `before` or `since` of no image.
    """
    for name in filters:
        if name not in FILTERS:
            raise InvalidParameter(f"invalid filter '{name}'")
    patterns = filters.get("reference") or []
    only_parents = set() if all else {image.id for image in images if not image.references} & set(parents.values())
    chosen = [image for image in filtered(images, filters, resolve) if image.id not in only_parents]
    rows = [{**_summary(image, patterns, shared), "ParentId": parents.get(image.id, "")} for image in chosen]
    return [row for row in rows if row["RepoTags"] or row["RepoDigests"] or not patterns]


def filtered(images: list[Image], filters: Filters, resolve: Callable[[str], Image]) -> list[Image]:
    """The images that pass dangling, label, label!, before, since and until, newest first; see `summaries`."""
    tests = [_dangling(filters), _labelled(filters), *_dated(filters, resolve)]
    return sorted((image for image in images if all(test(image) for test in tests)), key=stamp, reverse=True)


def is_false(values: list[str]) -> bool:
    """Whether the values of a boolean filter say no."""
    return all(value in _FALSE for value in values)


def stamp(image: Image) -> int:
    """When the image was made, ns since the epoch; 0 if it does not say."""
    return created.nanoseconds(str(image.config.get("created") or "")) or 0


def _dangling(filters: Filters) -> Callable[[Image], bool]:
    values = filters.get("dangling") or []
    for value in values:
        if value not in _TRUE + _FALSE:
            raise InvalidParameter(f"invalid filter 'dangling=[{' '.join(values)}]'")
    wanted = {value in _TRUE for value in values}
    return lambda image: not wanted or (not image.names) in wanted


def _labelled(filters: Filters) -> Callable[[Image], bool]:
    """All of `label`, none of `label!`."""
    wanted, unwanted = filters.get("label") or (), filters.get("label!") or ()

    def has(image: Image, text: str) -> bool:
        key, equals, value = text.partition("=")
        own = image.container_config.get("Labels") or {}
        return key in own and (not equals or own[key] == value)

    return lambda image: all(has(image, text) for text in wanted) and not any(has(image, text) for text in unwanted)


def _dated(filters: Filters, resolve: Callable[[str], Image]) -> list[Callable[[Image], bool]]:
    """before and since an image, until a moment; all of them strict, all of them together."""
    upper = [stamp(resolve(name)) for name in filters.get("before") or ()]
    upper += [created.moment(text, time.time_ns()) for text in filters.get("until") or ()]
    lower = [stamp(resolve(name)) for name in filters.get("since") or ()]
    return [lambda image: all(stamp(image) < end for end in upper) and all(stamp(image) > start for start in lower)]


def _summary(image: Image, patterns: list[str], shared: dict[str, int] | None) -> dict[str, Any]:
    tags, digests = (
        [name for name in names if not patterns or any(_named(name, p) for p in patterns)]
        for names in (image.familiar_tags, image.familiar_digests)
    )
    return {
        "Containers": -1, "Created": stamp(image) // 1_000_000_000, "Id": image.id,
        "Labels": image.container_config.get("Labels"), "ParentId": "", "RepoDigests": digests, "RepoTags": tags,
        "SharedSize": -1 if shared is None else shared.get(image.id, 0), "Size": image.size,
    }  # fmt: skip


def _named(tag: str, pattern: str) -> bool:
    """Whether a name fits a pattern: as users write it or whole, with or without its tag."""
    parsed = reference.parse(tag)
    whole = f"{parsed.domain}/{parsed.path}"
    forms = (tag, parsed.familiar_name, whole, f"{whole}:{parsed.tag}")
    try:
        return any(matches(pattern, form) for form in forms)
    except ValueError:
        raise InvalidParameter("syntax error in pattern") from None


def shared_sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """By image, the bytes of its layers that other images have as well."""
    rows = connection.execute(
        "SELECT image, sum(size) AS size FROM image_layer WHERE chain IN"
        " (SELECT chain FROM image_layer GROUP BY chain HAVING count(DISTINCT image) > 1) GROUP BY image"
    )
    return {row["image"]: row["size"] for row in rows}


def inspect(image: Image, graph_driver: dict[str, Any], parent: str) -> dict[str, Any]:
    """One image."""
    config, history = image.config, image.config.get("history") or []
    return {
        "Id": image.id, "RepoTags": image.familiar_tags, "RepoDigests": image.familiar_digests, "Parent": parent,
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


def history(image: Image, sizes: list[int]) -> list[dict[str, Any]]:
    """The history, newest first; layers' sizes go to the entries that made layers."""
    rows, remaining = [], list(sizes)
    for entry in image.config.get("history") or ({} for _ in sizes):
        size = remaining.pop(0) if remaining and not entry.get("empty_layer") else 0
        when = created.nanoseconds(str(entry.get("created") or "")) or 0
        rows.append({
            "Id": "<missing>", "Created": when // 1_000_000_000, "CreatedBy": entry.get("created_by") or "", "Tags": None,
            "Size": size, "Comment": entry.get("comment") or "",
        })  # fmt: skip
    rows.reverse()
    if rows:
        rows[0]["Id"], rows[0]["Tags"] = image.id, image.familiar_tags or None
    return rows
