"""What dockerd checks of its settings about networks before it starts."""

import ipaddress
import re
from typing import TYPE_CHECKING

from dockwright.base.errors import InvalidParameter
from dockwright.networks.config import BACKENDS, PUBLISHED_PORTS

if TYPE_CHECKING:
    from dockwright.daemon.config import Config

_DOMAIN = re.compile(r"\.|[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")


def check(config: "Config") -> None:
    """Refuse what no network can be.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    if config.bridge and (config.bip or config.bip6):
        raise InvalidParameter("You specified -b & --bip, mutually exclusive options. Please specify only one")
    _check_bridge(config)
    for item in config.default_address_pools:
        pool(item)
    if config.mtu < 0 or config.mtu > 65535:
        raise InvalidParameter(f"invalid default MTU: {config.mtu}")
    for name, value, allowed in (
        ("firewall-backend", config.firewall_backend, ("", *BACKENDS)),
        ("published-ports", config.published_ports, PUBLISHED_PORTS),
    ):
        if value not in allowed:
            raise InvalidParameter(f"invalid {name}: {value}: must be one of {', '.join(filter(None, allowed))}")
    if config.published_ports == "respect-host" and not config.userland_proxy:
        raise InvalidParameter("published-ports=respect-host needs the userland-proxy")
    for domain in config.dns_search:
        if not _DOMAIN.fullmatch(domain):
            raise InvalidParameter(f"{domain} is not a valid domain")
    for server in config.dns:
        if not _is_address(server):
            raise InvalidParameter(f"invalid IP address: {server}")


def _check_bridge(config: "Config") -> None:
    """Addresses of the default bridge and its containers."""
    for text, version in ((config.bip, 4), (config.bip6, 6)):
        if text and not _is_interface(text, version):
            raise InvalidParameter(f"invalid CIDR address: {text}")
    for name, text, version in (("fixed-cidr", config.fixed_cidr, 4), ("fixed-cidr-v6", config.fixed_cidr_v6, 6)):
        if text and not _is_interface(text, 0):
            raise InvalidParameter(f"invalid {name}: invalid CIDR address: {text}")
        if text and not _is_interface(text, version):
            raise InvalidParameter(f"invalid {name}: {name} is not an IPv{version} subnet")
    for address in (config.ip, config.host_gateway_ip, config.default_gateway, config.default_gateway_v6):
        if address and not _is_address(address):
            raise InvalidParameter(f'failed to parse IP: "{address}"')


def _is_interface(text: str, version: int) -> bool:
    """Whether it is an address of a family (0: of any) with a prefix length."""
    try:
        return "/" in text and ipaddress.ip_interface(text).version in (version or 4, version or 6)
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def pool(text: str) -> tuple[str, int]:
    """`base=10.0.0.0/8,size=24` as (subnet, prefix length of each network).

    Raises:
        InvalidParameter: no such pool.
    """
    parts = dict(part.partition("=")[::2] for part in text.split(","))
    try:
        base, size = ipaddress.ip_network(parts.pop("base")), int(parts.pop("size"))
    except (KeyError, ValueError):
        raise InvalidParameter(f"invalid default address pool: {text}") from None
    if parts or not base.prefixlen <= size <= base.max_prefixlen:
        raise InvalidParameter(f"invalid default address pool: {text}")
    return str(base), size
