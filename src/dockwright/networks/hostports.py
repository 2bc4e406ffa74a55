"""What the host says about ports: the range for those nobody chose (Documentation/networking/ip-sysctl.rst)."""

from dockwright.networks.publish import HostPorts

RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
RESERVED = "/proc/sys/net/ipv4/ip_local_reserved_ports"


def read() -> HostPorts:
    """An empty table of host ports with this host's ephemeral range."""
    with open(RANGE, encoding="ascii") as file:
        first, last = map(int, file.read().split())
    with open(RESERVED, encoding="ascii") as file:
        return HostPorts((first, last), reserved(file.read()))


def reserved(text: str) -> set[int]:
    """The ports of a list such as "8080,9000-9010"."""
    found: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return found
