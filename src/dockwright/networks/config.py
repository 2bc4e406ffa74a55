"""What the daemon's options say about networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockwright.networks.subnets import ula

Pools = tuple[tuple[str, int], ...]

# Docker's pools, as (subnet, prefix length of each network taken from it): whole ones for the default bridge, of which
# there is one; /24 for the user's networks, of which there may be thousands.
BRIDGE_POOLS = (
    ("172.17.0.0/16", 16),
    ("172.18.0.0/16", 16),
    ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16),
    ("172.24.0.0/14", 16),
    ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
)
DEFAULT_POOLS = tuple((base, 24) for base, _ in BRIDGE_POOLS[1:])
SIX = 64  # prefix length of each IPv6 network


BACKENDS = ("nftables", "iptables")
PUBLISHED_PORTS = (
    "docker",  # everybody who reaches the host, whatever its own firewall says: as with Docker
    "respect-host",  # from outside only whom the host's own firewall lets in, as to any program of the host
    "localhost",  # only this host, unless an address is given
)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The network part of the daemon's configuration.

    Attributes:
        bridge: `--bridge`: "" lets the engine choose, "none" makes no default network, else a bridge that exists.
        bip: `--bip`: address and prefix length of the default bridge, "" to choose.
        fixed_cidr, fixed_cidr6: `--fixed-cidr`, `--fixed-cidr-v6`: what containers of the default bridge get addresses of, or "".
        default_gateway, default_gateway6: `--default-gateway`, `--default-gateway-v6`: where their default route leads to, or "".
        ipv6, bip6: `--ipv6`: the default bridge has IPv6; `--bip6`: its address and prefix length, "" to choose.
        driver_options: `--default-network-opt`: by driver, options of new networks.
        mtu: `--mtu`: bytes, 0 for 1500.
        pools: `--default-address-pool`: (subnet, prefix length of each network); () for Docker's.
        engine: the engine's id, of which its IPv6 prefix is made.
        default_ip: `--ip`: host address of ports published without one.
        ip_forward: `--ip-forward`: switch forwarding on if it is off.
        ip_masq: `--ip-masq`: masquerade what leaves the bridge.
        icc: `--icc`: containers of the default bridge may talk to each other.
        iptables, ip6tables: `--iptables`, `--ip6tables`: write firewall rules at all; write those for IPv6.
        firewall_backend: `--firewall-backend`: "nftables", "iptables", or "" for the first that this host has.
        published_ports: `--published-ports`: "docker", "respect-host" or "localhost" (see `PUBLISHED_PORTS`).
        proxy: `--userland-proxy`: netd carries what no rule does.
        dns, dns_search, dns_options: `--dns` and its kin: for containers that bring none of their own.
        host_gateway: `--host-gateway-ip`: what `host-gateway` in --add-host stands for; "" for the bridge's address.
    """

    bridge: str = ""
    bip: str = ""
    fixed_cidr: str = ""
    default_gateway: str = ""
    ipv6: bool = False
    bip6: str = ""
    fixed_cidr6: str = ""
    default_gateway6: str = ""
    driver_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    mtu: int = 0
    pools: Pools = ()
    default_ip: str = "0.0.0.0"
    ip_forward: bool = True
    ip_masq: bool = True
    icc: bool = True
    iptables: bool = True
    ip6tables: bool = True
    firewall_backend: str = ""
    published_ports: str = "docker"
    proxy: bool = True
    dns: tuple[str, ...] = field(default=())
    dns_search: tuple[str, ...] = field(default=())
    dns_options: tuple[str, ...] = field(default=())
    host_gateway: str = ""
    engine: str = ""

    @property
    def bridge_pools(self) -> Pools:
        """Where the default bridge's subnet comes from."""
        return self.pools or BRIDGE_POOLS

    @property
    def network_pools(self) -> Pools:
        """Where the user's networks' subnets come from; IPv6 ones from the engine's own prefix unless pools of it are given."""
        given = self.pools or DEFAULT_POOLS
        if any(":" in base for base, _ in given):
            return given
        return (*given, (str(ula(self.engine)), SIX))
