"""The ways to a registry, in the order they are tried: mirrors first, then the registry itself; TLS first, then without.

Mirrors of Docker Hub come from the daemon's settings; mirrors of any registry from a `hosts.toml` (see there) in its folder
of certs.d. Certificates come from the same folder (Docker's documentation, "Verify repository client with certificates").
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.images.registry.settings import HUB, HUB_HOST, RegistrySettings

PULL, RESOLVE, PUSH = "pull", "resolve", "push"
EVERYTHING = frozenset((PULL, RESOLVE, PUSH))
API = "/v2"


@dataclass(frozen=True)
class Trust:
    """How the other side of a TLS connection is verified, and who we are there.

    Attributes:
        verify: whether its certificate must be good. authorities: files with more certificates to believe in.
        clients: (certificate, key) files; "" is a key in the certificate's file.
    """

    verify: bool = True
    authorities: tuple[str, ...] = ()
    clients: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """One way to a registry.

    Attributes:
        scheme, host: of its address. base: the path its API is below.
        mirror: whether it stands in for the registry: whatever fails there, the next endpoint is tried.
    """

    scheme: str
    host: str
    base: str = API
    trust: Trust = Trust()
    capabilities: frozenset[str] = EVERYTHING
    headers: Mapping[str, str] = field(default_factory=dict)
    mirror: bool = False

    @property
    def url(self) -> str:
        """Where its API begins."""
        return f"{self.scheme}://{self.host}{self.base}"


def endpoints(domain: str, settings: RegistrySettings, purpose: str = PULL) -> list[Endpoint]:
    """Every way to the registry `domain` that may be used for `purpose`, in order.

    Raises:
        InvalidParameter, Internal: its configuration is broken.
    """
    found = _configured(domain, settings)
    if domain == HUB:
        found = [mirror(url, settings) for url in settings.mirrors] + found
    return [endpoint for endpoint in found if purpose in endpoint.capabilities]


def mirror(url: str, settings: RegistrySettings) -> Endpoint:
    """A mirror of the daemon's settings. Raises InvalidParameter in dockerd's words."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise InvalidParameter(f'invalid mirror: unsupported scheme "{parts.scheme}" in "{url}"')
    if parts.query or parts.fragment:
        raise InvalidParameter(f'invalid mirror: query or fragment at end of the URI "{url}"')
    if parts.username is not None:
        raise InvalidParameter(f'invalid mirror: username/password not allowed in URI "{parts.scheme}://xxxxx@{parts.hostname}"')
    host = parts.netloc
    base = parts.path.rstrip("/") + API
    return Endpoint(parts.scheme, host, base, trust(host, settings), frozenset((PULL, RESOLVE)), mirror=True)


def _configured(domain: str, settings: RegistrySettings) -> list[Endpoint]:
    """What a hosts.toml says, else the registry's own address."""
    host = HUB_HOST if domain == HUB else domain
    for folder in _folders(domain, settings, "_default"):
        if os.path.exists(f"{folder}/hosts.toml"):
            from dockwright.images.registry import hosts

            return hosts.read(folder, host, plain(host, settings))
    return plain(host, settings)


def plain(host: str, settings: RegistrySettings) -> list[Endpoint]:
    """The registry at `host` itself: with TLS, and without where it may do without."""
    secure = Endpoint("https", host, trust=trust(host, settings))
    return [secure, replace(secure, scheme="http")] if settings.is_insecure(host) else [secure]


def trust(host: str, settings: RegistrySettings) -> Trust:
    """How the registry at `host` is trusted: by its folder of certs.d.

    Raises:
        Internal: in Docker's words.
    """
    authorities, clients = [], []
    for folder in _folders(host, settings)[:1]:
        names = sorted(os.listdir(folder))
        authorities += [f"{folder}/{name}" for name in names if name.endswith(".crt")]
        for name in names:
            if name.endswith(".cert"):
                clients.append((f"{folder}/{name}", f"{folder}/{_partner(name, names)}"))
            elif name.endswith(".key") and f"{name[:-4]}.cert" not in names:
                raise Internal(f"missing client certificate {name[:-4]}.cert for key {name}")
    return Trust(not settings.is_insecure(host), tuple(authorities), tuple(clients))


def _partner(name: str, names: list[str]) -> str:
    key = f"{name[:-5]}.key"
    if key not in names:
        text = f"missing key {key} for client certificate {name}. CA certificates must use the extension .crt"
        raise Internal(text)
    return key


def _folders(host: str, settings: RegistrySettings, *more: str) -> list[str]:
    """The folders of certs.d that speak of `host`, the first one counts."""
    found = (f"{place}/{name}" for name in (host, *more) for place in settings.certificates)
    return [folder for folder in found if os.path.isdir(folder)]
