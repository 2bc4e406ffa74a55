"""dockwright volume create: a volume, with a name or without."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.options import CONVERTERS as CREATE_CONVERTERS
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

CLUSTER = (
    "availability group limit-bytes required-bytes scope secret sharing topology-preferred topology-required type"
).split()  # fmt: skip
FLAGS = Flags(
    "availability d/driver group label:list limit-bytes:bytes name o/opt:map required-bytes:bytes scope secret:map "
    "sharing topology-preferred:list topology-required:list type"
)
ARGUMENTS = (0, 1)
CONVERTERS = {"label": CREATE_CONVERTERS["label"]}


def run(context: Context, given: Given) -> int:
    """Create it and print its name."""
    for flag in CLUSTER:
        if flag in given:
            raise Failure(f"--{flag} is not supported: there are no cluster volumes without a swarm\n")
    if given.rest and "name" in given:
        raise Failure("conflicting options: cannot specify a volume-name through both --name and as a positional arg\n")
    document = {
        "Name": given.rest[0] if given.rest else given.text("name"),
        "Driver": given.text("driver", "local"),
        "DriverOpts": dict(text.partition("=")[::2] for text in given.list("opt")),
        "Labels": dict(text.partition("=")[::2] for text in given.list("label")),
    }
    out(context.client.post("/volumes/create", None, document)["Name"] + "\n")
    return 0
