"""`--network name` or `--network name=x,alias=y,ip=...` as a dict of what was said.  Texts are docker's."""

from __future__ import annotations

from dockwright.grammar.csv import fields
from dockwright.grammar.option_values import is_address, is_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def parse_network(text: str) -> dict[str, Any]:
    """One `--network`: target, aliases, ip, ip6, mac, link_local, driver, priority (only what was given).

    Raises:
        ValueError: in docker's words.
    """
    if "=" not in text:
        return {"target": text}
    network: dict[str, Any] = {"target": ""}
    for field in fields(text):
        key, equals, value = field.lower().partition("=")
        if not equals:
            raise ValueError(f"invalid field {field}")
        _take(network, key.strip(), value.strip(), field.partition("=")[2].strip())
    if not network["target"]:
        raise ValueError("network name/id is not specified")
    return network


def _take(network: dict[str, Any], key: str, value: str, exact: str) -> None:
    if key == "name":
        network["target"] = value
    elif key == "alias":
        network.setdefault("aliases", []).append(value)
    elif key in ("ip", "ip6"):
        if not is_address(value):
            raise ValueError(f"invalid ip address: {value}" if key == "ip" else f"invalid ip6 address: {value}")
        network[key] = value
    elif key == "mac-address":
        if not is_mac(value):
            raise ValueError(f"{value} is not a valid mac address")
        network["mac"] = value
    elif key == "link-local-ip":
        network.setdefault("link_local", []).append(value)
    elif key == "driver-opt":
        name, equals, option = exact.partition("=")
        if not equals:
            raise ValueError("invalid key value pair format in driver options")
        network.setdefault("driver", {})[name.lower()] = option.lower()
    elif key == "gw-priority":
        network["priority"] = _priority(value)
    else:
        raise ValueError(f"invalid field key {key}")


def _priority(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"invalid gw-priority (strconv.Atoi: parsing \"{value}\": invalid syntax)") from None
