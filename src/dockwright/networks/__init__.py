"""Networks, endpoints, addresses, published ports and the firewall."""

from dockwright.networks.config import NetworkConfig
from dockwright.networks.manager import NetworkManager
from dockwright.networks.request import Attachment, SandboxRequest

__all__ = ["Attachment", "NetworkConfig", "NetworkManager", "SandboxRequest"]
