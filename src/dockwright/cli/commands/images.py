"""dockwright images: the images here, a row for each name."""

from __future__ import annotations

from dockwright.cli.filters import filters_of
from dockwright.cli.formatting import Table, ago, show
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import human_size, human_size_three

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/all:bool digests:bool f/filter:filter format no-trunc:bool q/quiet:bool tree:bool")
ARGUMENTS = (0, 1)
NONE = "<none>"
SHORT = 12
HEADERS = {
    "ID": "IMAGE ID", "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT", "Size": "SIZE", "Containers": "CONTAINERS", "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE",
}  # fmt: skip
RAW = (
    "repository: {{.Repository}}\ntag: {{.Tag}}\n%simage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\n"
    "virtual_size: {{.Size}}\n"
)


def run(context: Context, given: Given) -> int:
    """List them."""
    digests = given.flag("digests")
    query = {"all": given.flag("all"), "filters": filters_of(given, *(("reference", name) for name in given.rest))}
    if given.flag("tree"):
        from dockwright.cli.commands.images_tree import show_tree

        return show_tree(context, given, query)
    rows = []
    for image in context.client.get("/images/json", query):
        rows += [row(image, *name, not given.flag("no-trunc")) for name in names(image, digests)]
    form, quiet = given.text("format"), given.flag("quiet")
    if not form and not quiet:
        form = str(context.config.get("imagesFormat", ""))
    default = f"{{{{.Repository}}}}\t{{{{.Tag}}}}\t{'{{.Digest}}' if digests else ''}"
    default += ("\t" if digests else "") + "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
    raw = RAW % ("digest: {{.Digest}}\n" if digests else "")
    plain = quiet and form in ("", "table", "raw")
    show(Table(HEADERS, default, "ID", "*formatter.imageContext", raw), rows, form, plain)
    return 0


def names(image: dict[str, Any], digests: bool) -> list[tuple[str, str, str]]:
    """(repository, tag, digest) of each row of an image."""
    tags = [tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>"]
    known: dict[str, list[str]] = {}
    for reference in image.get("RepoDigests") or ():
        repository, _, digest = reference.partition("@")
        if repository != NONE:
            known.setdefault(repository, []).append(digest)
    found = []
    tagged = set()
    for name in tags:
        repository, _, tag = name.rpartition(":")
        tagged.add(repository)
        of_tag = known.get(repository, []) if digests else []
        found += [(repository, tag, digest) for digest in of_tag or [NONE]]
    for repository, of_repository in known.items():
        if repository not in tagged:
            found += [(repository, NONE, digest) for digest in (of_repository if digests else [NONE])]
    return found or [(NONE, NONE, NONE)]


def row(image: dict[str, Any], repository: str, tag: str, digest: str, short: bool) -> dict[str, Any]:
    """The fields of one row."""
    from dockwright.grammar.timestamps import go_local

    size, shared, containers = image["Size"], image.get("SharedSize", -1), image.get("Containers", -1)
    return {
        "ID": image["Id"].partition(":")[2][:SHORT] if short else image["Id"],
        "Repository": repository,
        "Tag": tag,
        "Digest": digest,
        "CreatedSince": ago(image["Created"]) if image["Created"] else "N/A",
        "CreatedAt": go_local(image["Created"]),
        "Size": human_size_three(size),
        "Containers": "N/A" if containers == -1 else str(containers),
        "VirtualSize": human_size(size),
        "SharedSize": "N/A" if shared == -1 else human_size(shared),
        "UniqueSize": "N/A" if shared == -1 else human_size(size - shared),
    }
