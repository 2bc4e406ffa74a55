"""Images in older versions. Source: Engine API version history."""

from dockwright.api.shapes.rules import Document, Rule, copied, with_
from dockwright.base.times import ZERO


def _unnamed(document: Document) -> None:
    """Before 1.43 an image without a name was called <none>, and a name without a digest had null for it."""
    tags, digests = document.get("RepoTags"), document.get("RepoDigests")
    if not tags and not digests:
        document["RepoTags"], document["RepoDigests"] = ["<none>:<none>"], ["<none>@<none>"]
    elif not digests:
        document["RepoDigests"] = None


def _created(document: Document) -> None:
    """Before 1.44 an unknown time of creation was the zero time."""
    document["Created"] = document.get("Created") or ZERO


# what Docker showed of the container an image was committed from, once it no longer kept it
NO_CONTAINER: Document = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False, "AttachStderr": False,
    "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None, "Cmd": None, "Image": "", "Volumes": None,
    "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": None,
}  # fmt: skip


SUMMARY = (
    Rule((1, 43), (), _unnamed),
    Rule((1, 44), (), copied("VirtualSize", "Size")),
)

USAGE = (Rule((1, 44), (), copied("VirtualSize", "Size")),)  # in /system/df

INSPECT = (
    Rule((1, 45), (), with_(ContainerConfig=NO_CONTAINER)),
    Rule((1, 44), (), copied("VirtualSize", "Size")),
    Rule((1, 44), (), _created),
)
