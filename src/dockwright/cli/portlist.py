"""The PORTS column: neighbouring ports are joined, those published under another number come last."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def ports_text(ports: list[dict[str, Any]]) -> str:
    """`7000-7002/tcp, 127.0.0.1:8080->80/tcp` from the API's list of ports."""
    groups: dict[str, list[int]] = {}
    order: list[str] = []
    done, renumbered = [], []
    for port in sorted(ports, key=_key):
        number, protocol, address = port["PrivatePort"], port["Type"], port.get("IP", "")
        if address and port.get("PublicPort") != number:
            renumbered.append(f"{_join(address, str(port.get('PublicPort', 0)))}->{number}/{protocol}")
            continue
        key = f"{address}/{protocol}" if address else protocol
        if key not in groups:
            groups[key] = [number, number]
            order.append(key)
        elif number == groups[key][1] + 1:
            groups[key][1] = number
        else:
            done.append(_group(key, *groups[key]))
            groups[key] = [number, number]
    return ", ".join([*done, *(_group(key, *groups[key]) for key in order), *renumbered])


def _key(port: dict[str, Any]) -> tuple[int, str, int, str]:
    return port["PrivatePort"], port.get("IP", ""), port.get("PublicPort", 0), port["Type"]


def _join(address: str, ports: str) -> str:
    return f"[{address}]:{ports}" if ":" in address else f"{address}:{ports}"


def _group(key: str, first: int, last: int) -> str:
    address, _, protocol = key.rpartition("/")
    ports = str(first) if first == last else f"{first}-{last}"
    return f"{_join(address, ports)}->{ports}/{protocol}" if address else f"{ports}/{protocol}"
