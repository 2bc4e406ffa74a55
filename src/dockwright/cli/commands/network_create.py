"""dockwright network create: a network."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.options import CONVERTERS as CREATE_CONVERTERS
from dockwright.cli.terminal import out
from dockwright.client.client import numbers
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags(
    "attachable:bool aux-address:map config-from config-only:bool d/driver gateway:stringSlice ingress:bool internal:bool "
    "ip-range:stringSlice ipam-driver ipam-opt:map ipv4:bool ipv6:bool label:list o/opt:map scope subnet:stringSlice"
)
ARGUMENTS = (1, 1)
CONVERTERS = {"label": CREATE_CONVERTERS["label"]}


def run(context: Context, given: Given) -> int:
    """Create it, print its id and the daemon's warning."""
    document = {
        "Driver": given.text("driver", "bridge"), "Scope": given.text("scope"),
        "IPAM": {"Driver": given.text("ipam-driver", "default"), "Options": _map(given, "ipam-opt"), "Config": _ipam(given)},
        "Internal": given.flag("internal"), "Attachable": given.flag("attachable"), "Ingress": given.flag("ingress"),
        "ConfigOnly": given.flag("config-only"), "ConfigFrom": None, "Options": _map(given, "opt"),
        "Labels": _map(given, "label"), "Name": given.rest[0],
    }  # fmt: skip
    if given.text("config-from"):
        document["ConfigFrom"] = {"Network": given.text("config-from")}
    for flag, field in (("ipv4", "EnableIPv4"), ("ipv6", "EnableIPv6")):
        if flag in given:
            document[field] = given.flag(flag)
    if numbers(context.client.version) < (1, 44):
        document["CheckDuplicate"] = True  # what later daemons do without being asked
    made = context.client.post("/networks/create", None, document)
    if made.get("Warning"):
        from dockwright.cli.terminal import err

        err(f"WARNING: {made['Warning']}\n")
    out(made["Id"] + "\n")
    return 0


def _map(given: Given, flag: str) -> dict[str, str]:
    return dict(text.partition("=")[::2] for text in given.list(flag))


def _ipam(given: Given) -> list[dict[str, Any]]:
    """The subnets, each with the range, gateway and auxiliary addresses that lie in it.

    Raises:
        Failure: in docker's words.
    """
    subnets, ranges, gateways = given.list("subnet"), given.list("ip-range"), given.list("gateway")
    if len(subnets) < len(ranges) or len(subnets) < len(gateways):
        raise Failure("every ip-range or gateway must have a corresponding subnet\n")
    configs: dict[str, dict[str, Any]] = {}
    for subnet in subnets:
        if any(_inside(subnet, other) or _inside(other, subnet) for other in configs):
            raise Failure("multiple overlapping subnet configuration is not supported\n")
        configs[subnet] = {"Subnet": subnet}
    for field, what, values in (("IPRange", "range", ranges), ("Gateway", "gateway", gateways)):
        for value in values:
            config = _owner(configs, value, what)
            if field in config:
                shown = "ranges" if what == "range" else "gateways"
                text = f"cannot configure multiple {shown} ({value}, {config[field]}) on the same subnet ({config['Subnet']})\n"
                raise Failure(text)
            config[field] = value
    for name, address in _map(given, "aux-address").items():
        _owner(configs, address, "aux-address").setdefault("AuxiliaryAddresses", {})[name] = address
    return list(configs.values())


def _owner(configs: dict[str, dict[str, Any]], address: str, what: str) -> dict[str, Any]:
    for subnet, config in configs.items():
        if _inside(address, subnet):
            return config
    raise Failure(f"no matching subnet for {what} {address}\n")


def _inside(part: str, whole: str) -> bool:
    """Whether an address or network lies in a network."""
    from ipaddress import ip_interface, ip_network

    try:
        address, network = ip_interface(part), ip_network(whole, strict=False)
    except ValueError as error:
        raise Failure(f"invalid CIDR address: {part if '/' in part else whole}\n") from error
    return address.version == network.version and address.ip in network and address.network.prefixlen >= network.prefixlen
