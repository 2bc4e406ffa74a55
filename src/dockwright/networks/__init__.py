"""Networks, endpoints, addresses, published ports and the firewall."""

from dockwright.networks.config import NetworkConfig
from dockwright.networks.manager import NetworkManager
from dockwright.networks.request import Attachment, EndpointRequest

__all__ = ["Attachment", "EndpointRequest", "NetworkConfig", "NetworkManager"]
