"""The network part of the configuration, in the form the networks room reads."""

from dockwright.daemon.config import Config, pool
from dockwright.networks.config import NetworkConfig


def network_config(config: Config, engine: str = "") -> NetworkConfig:
    """What `config` says about networks. `engine`: the engine's id."""
    return NetworkConfig(
        bridge=config.bridge,
        bip=config.bip,
        mtu=config.mtu,
        pools=tuple(map(pool, config.default_address_pools)),
        default_ip=config.ip,
        ip_forward=config.ip_forward,
        ip_masq=config.ip_masq,
        icc=config.icc,
        iptables=config.iptables,
        firewall_backend=config.firewall_backend,
        published_ports=config.published_ports,
        proxy=config.userland_proxy,
        dns=tuple(config.dns),
        dns_search=tuple(config.dns_search),
        dns_options=tuple(config.dns_opts),
        host_gateway=config.host_gateway_ip,
        engine=engine,
    )
