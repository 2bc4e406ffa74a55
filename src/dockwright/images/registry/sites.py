"""Which hosts belong together, and which token servers see the credentials of a registry."""

from collections.abc import Iterable

from dockwright.images.registry.settings import hostname

# Providers whose token servers are on another site than their registries: (registry or ".domain", token server), over TLS only.
# As their registries answer GET /v2/.
KNOWN = ((".scw.cloud", "api.scaleway.com"),)
KEY = "token-servers"
# co.uk, com.au: no registered domains, but places to register below, as countries have them (publicsuffix.org)
_SECOND_LEVEL = frozenset(
    "ac asn biz co com edu firm gen go gob gov govt gub id idv ind info ltd me mil ne net nhs nic nom or org plc res sch tm web"
    .split()
)


def same_site(one: str, other: str) -> bool:
    """Whether two hosts belong together: one machine, or names below one registered domain (registry.x.org, auth.x.org)."""
    first, second = hostname(one).lower(), hostname(other).lower()
    return first == second or (_site(first) == _site(second) and bool(_site(first)))


def _site(host: str) -> str:
    labels = host.split(".")
    if len(labels) < 2 or labels[-1].isdecimal() or ":" in host:
        return ""
    second_level = len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3 if second_level else -2 :])


def trusted(registry: str, server: str, secure: bool, pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether the token server at `server` may see the credentials of `registry`; both are `host[:port]`.

    Args:
        secure: both speak TLS. pairs: (registry, token server) as the daemon was told: the very hosts, ports included.
    """
    if same_site(registry, server):
        return True
    if any((registry.lower(), server.lower()) == (one.lower(), other.lower()) for one, other in pairs):
        return True
    return secure and any(hostname(registry).lower().endswith(tail) and server.lower() == host for tail, host in KNOWN)


def advice(registry: str, server: str) -> str:
    """Why a registry's credentials were not used, and what to do if they should be."""
    return (
        f"the token server {server} is on another site than {registry} and was not sent its credentials; if it may see them, "
        f'start the daemon with --token-server {registry}={server} or set "{KEY}": ["{registry}={server}"] in daemon.json'
    )
