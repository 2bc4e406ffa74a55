"""What the networks room gets of the configuration."""

from dockwright.daemon.config import load
from dockwright.daemon.network import network_config


def test_networks_get_their_part():
    pool = "--default-address-pool=base=10.0.0.0/8,size=24"
    network = network_config(load(["--config-file=/dev/null", "--bip=10.9.0.1/24", "--icc=false", "--mtu=1400", pool]))
    assert (network.bip, network.icc, network.mtu) == ("10.9.0.1/24", False, 1400)
    assert network.pools == (("10.0.0.0/8", 24),)
