"""The network part of the configuration, in the form the networks room reads."""

from dockwright.daemon.config import Config
from dockwright.daemon.netchecks import pool
from dockwright.networks.config import NetworkConfig


def network_config(config: Config, engine: str = "") -> NetworkConfig:
    """What `config` says about networks. `engine`: the engine's id."""
    return NetworkConfig(
        bridge=config.bridge,
        bip=config.bip,
        fixed_cidr=config.fixed_cidr,
        default_gateway=config.default_gateway,
        ipv6=config.ipv6,
        bip6=config.bip6,
        fixed_cidr6=config.fixed_cidr_v6,
        default_gateway6=config.default_gateway_v6,
        driver_options=config.default_network_opts,
        mtu=config.mtu,
        pools=tuple(map(pool, config.default_address_pools)),
        default_ip=config.ip,
        ip_forward=config.ip_forward,
        ip_masq=config.ip_masq,
        icc=config.icc,
        iptables=config.iptables,
        ip6tables=config.ip6tables,
        firewall_backend=config.firewall_backend,
        published_ports=config.published_ports,
        proxy=config.userland_proxy,
        dns=tuple(config.dns),
        dns_search=tuple(config.dns_search),
        dns_options=tuple(config.dns_opts),
        host_gateway=config.host_gateway_ip,
        engine=engine,
    )
