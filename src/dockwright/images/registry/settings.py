"""What the daemon was told about registries."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

HUB = "docker.io"
HUB_HOST = "registry-1.docker.io"
HUB_INDEX = "https://index.docker.io/v1/"  # what docker's configuration calls Docker Hub
CERTIFICATES = ("/etc/dockwright/certs.d", "/etc/docker/certs.d")
_LOCAL = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class RegistrySettings:
    """dockerd's settings about registries, with its defaults.

    Attributes:
        mirrors: addresses asked for Docker Hub's images first. insecure: hosts and networks that may do without a verified
            certificate, or without TLS. local_insecure: whether this host's own always may.
        downloads, uploads: blobs at once. attempts: for each blob. pause: seconds
            before the second one. certificates: folders with one folder per host.
        token_servers: (registry, token server) where they are on different sites and the second may see the first one's
            credentials; `host[:port]` each.
        proxies: "http", "https" and "no" by daemon.json; what is missing is taken from the environment.
    """

    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()
    local_insecure: bool = True
    downloads: int = 3
    uploads: int = 5
    attempts: int = 5
    pause: float = 5.0
    certificates: tuple[str, ...] = CERTIFICATES
    token_servers: tuple[tuple[str, str], ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict)

    def is_insecure(self, host: str) -> bool:
        """Whether `host[:port]` may do without TLS: by its name, or as an address in one of the networks.

        A name is never resolved for this: who answers for it could say it is local.
        """
        if host in self.insecure:
            return True
        name = hostname(host)
        if name in self.insecure or (name == "localhost" and self.local_insecure):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return any(address in network for network in _networks((*(_LOCAL if self.local_insecure else ()), *self.insecure)))


def hostname(host: str) -> str:
    """The host of `host[:port]`, without the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] or host


def _networks(texts: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Those of `texts` that are networks."""
    found = []
    for text in texts:
        if "/" in text:
            try:
                found.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                continue
    return found
