"""Which proxy a request takes: the daemon's settings, else the environment's, with the exceptions of NO_PROXY.

Source: the conventions of curl(1) and of Go's httpproxy package, as Docker follows them: this host is never reached through a
proxy; an exception is a host, a domain (with all below it), an address, a network, or `*`, each perhaps with a port.
"""

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


def proxy(url: str, given: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> str:
    """The proxy for `url`, "" for none.

    Args:
        given: "http", "https" and "no" as the daemon was told.
    """
    parts = urlsplit(url)
    chosen = _setting(parts.scheme, given, environment)
    host, port = (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme, 0)
    if not chosen or _local(host) or _excepted(host, port, _setting("no", given, environment)):
        return ""
    return chosen if "://" in chosen else f"http://{chosen}"


def _setting(name: str, given: Mapping[str, str], environment: Mapping[str, str]) -> str:
    variable = f"{name}_proxy"
    return given.get(name) or environment.get(variable.upper()) or environment.get(variable) or ""


def _local(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _excepted(host: str, port: int, exceptions: str) -> bool:
    return any(_matches(host, port, item.strip().lower()) for item in exceptions.split(",") if item.strip())


def _matches(host: str, port: int, item: str) -> bool:
    if item == "*":
        return True
    address = _address(host)
    if "/" in item:
        try:
            return address is not None and address in ipaddress.ip_network(item, strict=False)
        except ValueError:
            return False
    if _address(item) is None and ":" in item:
        item, _, wanted = item.rpartition(":")
        if wanted != str(port):
            return False
    item = item.strip("[]").removeprefix("*")
    if item.startswith("."):
        return host.endswith(item)
    return host == item or (address is None and host.endswith(f".{item}"))
