"""dockwright network connect: a container into one more network."""

from __future__ import annotations

from dockwright.cli.endpoints import ENDPOINT
from dockwright.cli.failure import Failure
from dockwright.cli.options import CONVERTERS as CREATE_CONVERTERS
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("alias:stringSlice driver-opt:stringSlice gw-priority:int ip ip6 link:list link-local-ip:stringSlice")
ARGUMENTS = (2, 2)
CONVERTERS = {"link": CREATE_CONVERTERS["link"]}


def run(context: Context, given: Given) -> int:
    """Connect it."""
    options = [text.partition("=") for text in given.list("driver-opt")]
    if not all(equals for _, equals, _ in options):
        raise Failure("invalid key/value pair format in driver options\n")
    addresses = {
        "IPv4Address": given.text("ip"),
        "IPv6Address": given.text("ip6"),
        "LinkLocalIPs": given.list("link-local-ip"),
    }
    settings = {
        "IPAMConfig": {name: value for name, value in addresses.items() if value},
        "Links": given.list("link") or None,
        "Aliases": given.list("alias"),
        "DriverOpts": {name: value for name, _, value in options},
        "GwPriority": given.number("gw-priority"),
    }
    network, container = given.rest
    document = {"Container": container, "EndpointConfig": ENDPOINT | settings}
    context.client.request("POST", f"/networks/{quote(network)}/connect", None, document).read()
    return 0
