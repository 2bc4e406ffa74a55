"""Port publications as users write them: `[[ip:][host[-end]]:]container[-end][/proto]`.

Pure; used by the command line (which turns `-p` into PortBindings) and by the daemon (which reads PortBindings).
Texts are Docker's. A `run -p` loads it: it imports `_socket` only.
"""

from __future__ import annotations

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

PROTOCOLS = ("tcp", "udp", "sctp")
HIGHEST = 65535


class PortError(ValueError):
    """A malformed publication; the text is Docker's."""


class Publication:
    """One container port with one host address.

    Attributes:
        port: in the container, 1..65535.
        protocol: tcp, udp or sctp.
        host_ip: the address asked for; "" for every address.
        host_port: "" (any), "8080", or a range "7700-7710" of which the first free one is taken.
    """

    __slots__ = ("host_ip", "host_port", "port", "protocol")

    def __init__(self, port: int, protocol: str, host_ip: str, host_port: str) -> None:
        self.port, self.protocol, self.host_ip, self.host_port = port, protocol, host_ip, host_port

    @property
    def key(self) -> str:
        """The container port as a PortMap key: "80/tcp"."""
        return f"{self.port}/{self.protocol}"


def parse_range(text: str) -> tuple[int, int]:
    """The first and last port of "80" or "80-90". Raises PortError."""
    if not text:
        raise PortError("empty string specified for ports.")
    first, dash, last = text.partition("-")
    start, end = _number(first), _number(last if dash else first)
    if end < start:
        raise PortError(f"invalid range specified for port: {text}")
    return start, end


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise PortError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if int(text) > HIGHEST:
        raise PortError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def split_key(key: str) -> tuple[str, str]:
    """The ports and the protocol of "80", "80/tcp", "80-90/UDP"; what follows another slash is nothing (as with Docker).

    Raises:
        PortError: `invalid proto: xx`.
    """
    ports, _, protocol = key.partition("/")
    protocol = protocol.partition("/")[0].lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise PortError(f"invalid proto: {protocol}")
    return ports, protocol


def parse_key(key: str) -> tuple[int, str]:
    """One container port such as "80/tcp" as (80, "tcp"). Raises PortError `invalid containerPort: x`."""
    ports, protocol = split_key(key)
    try:
        number, last = parse_range(ports)
    except PortError:
        raise PortError(f"invalid containerPort: {ports}") from None
    if number != last or not number:
        raise PortError(f"invalid containerPort: {ports}")
    return number, protocol


def parse_exposed(text: str) -> list[str]:
    """`--expose 80-82/udp` as PortSet keys: ["80/udp", "81/udp", "82/udp"]. Raises PortError."""
    ports, protocol = split_key(text)
    try:
        start, end = parse_range(ports)
    except PortError as error:
        raise PortError(f"invalid range format for --expose: {text}, error: {error}") from None
    return [f"{port}/{protocol}" for port in range(start, end + 1)]


def parse_publication(spec: str) -> list[Publication]:
    """One `-p` argument as its publications; equal ranges pair up.

    Raises:
        PortError: in Docker's words.
    """
    host_ip, host, container = _split_spec(spec)
    if not container.partition("/")[0]:
        raise PortError(f"no port specified: {spec}<empty>")
    ports, protocol = split_key(container)
    address = _address(host_ip)
    try:
        start, end = parse_range(ports)
    except PortError:
        raise PortError(f"invalid containerPort: {ports}") from None
    first, last = _host_range(host)
    count = end - start
    if host and last - first != count and count:
        raise PortError(f"invalid ranges specified for container and host Ports: {ports} and {host}")
    if not count:
        return [Publication(start, protocol, address, host if first != last else (str(first) if host else ""))]
    return [
        Publication(start + offset, protocol, address, str(first + offset) if host else "")
        for offset in range(count + 1)
    ]


def _split_spec(spec: str) -> tuple[str, str, str]:
    """The address, host ports and container ports of a publication; the address may be [v6]."""
    rest, _, container = spec.rpartition(":")
    if not rest:
        return "", "", container
    address, colon, host = rest.rpartition(":")
    if not colon:
        return "", rest, container
    return address, host, container


def _address(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare:
        return ""
    if bare.startswith("["):
        raise PortError(f"invalid IP address {bare}: address {bare}:: missing ']' in address")
    family = _socket.AF_INET6 if ":" in bare else _socket.AF_INET
    try:
        return _socket.inet_ntop(family, _socket.inet_pton(family, bare))
    except (OSError, ValueError):
        raise PortError(f"invalid IP address: {bare}") from None


def _host_range(host: str) -> tuple[int, int]:
    if not host:
        return 0, 0
    try:
        return parse_range(host)
    except PortError:
        raise PortError(f"invalid hostPort: {host}") from None


def port_map(specs: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """Several `-p` arguments as the API's PortBindings. Raises PortError."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for spec in specs:
        for publication in parse_publication(spec):
            entry = {"HostIp": publication.host_ip, "HostPort": publication.host_port}
            bindings.setdefault(publication.key, []).append(entry)
    return bindings


def from_bindings(bindings: Mapping[str, Iterable[Mapping[str, Any]] | None]) -> list[Publication]:
    """The API's PortBindings as publications; an empty list counts as one binding without address and port.

    Raises:
        PortError: `invalid port specification: "x"` and the texts above.
    """
    found = []
    for key, entries in bindings.items():
        try:
            port, protocol = parse_key(key)
        except PortError:
            raise PortError(f'invalid port specification: "{key}"') from None
        for entry in list(entries or ()) or [{}]:
            host_port = entry.get("HostPort") or ""
            try:
                first, last = parse_range(host_port) if host_port else (0, 0)
            except PortError:
                raise PortError(f'invalid port specification: "{host_port}"') from None
            wanted = "" if not last else host_port if first != last else str(first)
            found.append(Publication(port, protocol, _address(entry.get("HostIp") or ""), wanted))
    return found
