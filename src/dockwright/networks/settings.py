"""What a container may want of a network: the checks of its settings, made at create and at connect. Pure."""

from ipaddress import ip_address

from dockwright.base.errors import InvalidParameter
from dockwright.kernel.netlink import mac_bytes
from dockwright.networks import options
from dockwright.networks.network import PREDEFINED, Network
from dockwright.types.network import EndpointSettings


def check(name: str, wanted: EndpointSettings, network: Network | None) -> None:
    """Refuse settings that cannot be, naming all that is wrong with them.

    Args:
        name: of the network. network: None if it is not there (yet).

    Raises:
        InvalidParameter: in Docker's words.
    """
    wrong = [*_predefined_faults(name, wanted), *_address_faults(wanted), *_option_faults(wanted)]
    if network is not None and not network.predefined:
        wrong += _range_faults(wanted, network)
    if wrong:
        raise InvalidParameter("invalid endpoint settings:\n" + "\n".join(wrong))


def _predefined_faults(name: str, wanted: EndpointSettings) -> list[str]:
    if name not in (*PREDEFINED, "default"):
        return []
    found = []
    if wanted.addresses.IPv4Address or wanted.addresses.IPv6Address:
        found.append("user-specified IP address is supported on user-defined networks only")
    if wanted.Aliases:
        found.append("network-scoped aliases are only supported for user-defined networks")
    return found


def _address_faults(wanted: EndpointSettings) -> list[str]:
    addresses = wanted.addresses
    found = []
    if not _is(addresses.IPv4Address, 4):
        found.append(f"invalid IPv4 address: {addresses.IPv4Address}")
    if not _is(addresses.IPv6Address, 6):
        found.append(f"invalid IPv6 address: {addresses.IPv6Address}")
    for text in addresses.LinkLocalIPs or ():
        if not text or not (_is(text, 4) or _is(text, 6)):
            found.append(f"invalid link-local IP address: {text}")
    return found


def _is(text: str | None, version: int) -> bool:
    try:
        return not text or ip_address(text).version == version
    except ValueError:
        return False


def _option_faults(wanted: EndpointSettings) -> list[str]:
    found = []
    try:
        options.endpoint_sysctls(wanted.DriverOpts or {}, "eth0")
        options.interface_name(wanted.DriverOpts or {})
    except InvalidParameter as error:
        found.append(error.message)
    if wanted.MacAddress:
        try:
            mac_bytes(wanted.MacAddress)
        except ValueError:
            found.append(f"invalid MAC address: {wanted.MacAddress}")
    return found


def _range_faults(wanted: EndpointSettings, network: Network) -> list[str]:
    found = []
    for text in (wanted.addresses.IPv4Address, wanted.addresses.IPv6Address):
        if text and _is(text, 4) | _is(text, 6) and network.pool_of(ip_address(text)) is None:
            found.append(f"no configured subnet contains IP address {text}")
    return found
