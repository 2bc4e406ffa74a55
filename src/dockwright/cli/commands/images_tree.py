"""`dockwright images --tree`: each image with the platforms that are behind its names, laid out as Docker 28 does."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import err, out
from dockwright.grammar.units import human_size_three

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

WARNING = "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.\n"
UNTAGGED, IN_USE = "<untagged>", "U"
TITLES, SHORT, GAP = ("ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"), 12, "   "
WIDTHS = (SHORT, 10, 12, 5)
ELSEWHERE = (("quiet", "--quiet"), ("no-trunc", "--no-trunc"), ("digests", "--show-digest"), ("format", "--format"))

Row = tuple[str, tuple[str, str, str, str]]  # the first column, and the others


def show_tree(context: Context, given: Given, query: dict[str, Any]) -> int:
    """Print it.

    Raises:
        Failure: a flag that a tree has no use for, a daemon that is too old.
    """
    for flag, name in ELSEWHERE:
        if given.text(flag) if flag == "format" else given.flag(flag):
            raise Failure(f"{name} is not yet supported with --tree\n")
    context.require(["tree"], "1.47")
    images = context.client.get("/images/json", {**query, "manifests": True})
    err(WARNING)
    out(drawn(images))
    return 0


def drawn(images: list[dict[str, Any]]) -> str:
    """The table of the API's list, newest image first."""
    blocks = [_block(image) for image in sorted(images, key=lambda image: image["Created"], reverse=True)]
    width = max([len("IMAGE"), *(len(row[0]) for block in blocks for row in block)])
    lines = [_line(("IMAGE", TITLES), width)]
    parted = any(len(image.get("Manifests") or ()) for image in images)
    for block in blocks:
        lines += [""] if parted and len(lines) > 1 else []
        lines += [_line(row, width) for row in block]
    return "".join(line + "\n" for line in lines)


def _line(row: Row, width: int) -> str:
    name, (ident, disk, content, extra) = row
    cells = (name.ljust(width), ident.ljust(WIDTHS[0]), disk.rjust(WIDTHS[1]), content.rjust(WIDTHS[2]), extra)
    return GAP.join(cells).rstrip()


def _block(image: dict[str, Any]) -> list[Row]:
    """An image's names, the longest first, the last with what it is; then a row for each platform."""
    *before, last = sorted(image.get("RepoTags") or [UNTAGGED], key=lambda name: (-len(name), name))
    manifests = [each for each in image.get("Manifests") or () if each["Kind"] == "image"]
    children = [_platform(each) for each in manifests]
    content = sum(each["Size"]["Content"] for each in image.get("Manifests") or ())
    used = any(each["ImageData"]["Containers"] for each in manifests) or image.get("Containers", -1) > 0
    own = (_short(image["Id"]), human_size_three(image["Size"]), human_size_three(content), IN_USE if used else "")
    marks = ["├─ "] * (len(children) - 1) + ["└─ "]
    return [
        *((name, ("", "", "", "")) for name in before), (last, own),
        *((mark + name, cells) for mark, (name, cells) in zip(marks, children, strict=False)),
    ]  # fmt: skip


def _platform(manifest: dict[str, Any]) -> Row:
    platform, size = manifest["ImageData"]["Platform"], manifest["Size"]
    name = "/".join(platform[key] for key in ("os", "architecture", "variant") if platform.get(key))
    used = IN_USE if manifest["ImageData"]["Containers"] else ""
    return name, (_short(manifest["ID"]), human_size_three(size["Total"]), human_size_three(size["Content"]), used)


def _short(digest: str) -> str:
    return digest.partition(":")[2][:SHORT]
