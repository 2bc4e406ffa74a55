"""Values of `run`'s flags: checked and read one by one, with docker's texts as ValueError.

Pure; it imports `_socket` (for addresses) and nothing else, because a `run -e A=b` loads it.
"""

from __future__ import annotations

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STREAMS = ("stdin", "stdout", "stderr")
HOST_GATEWAY = "host-gateway"
ULIMITS = (
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()
)  # fmt: skip
SYSCTLS = (
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni "
    "kernel.shm_rmid_forced"
).split()
SYSCTL_PREFIXES = ("net.", "fs.mqueue.")
WEIGHTS = range(10, 1001)
RATE = "invalid rate for device: {}. The correct format is <device-path>:<number>"


def stream(text: str) -> str:
    """`--attach`: stdin, stdout or stderr in any case."""
    if text.lower() not in STREAMS:
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")
    return text.lower()


def env(text: str, environment: Mapping[bytes, bytes]) -> str:
    """`--env`: `NAME=value`, or `NAME` which takes the value of `environment` if it has one."""
    name, equals, _ = text.partition("=")
    if not name:
        raise ValueError(f"invalid environment variable: {text}")
    value = None if equals else environment.get(name.encode("utf-8", "surrogateescape"))
    return text if value is None else f"{name}={value.decode('utf-8', 'surrogateescape')}"


def label(text: str) -> str:
    """`--label`: `name[=value]`."""
    if not text.partition("=")[0].strip():
        raise ValueError(f"invalid label '{text}': empty name" if text else "invalid label: empty name")
    return text


def link(text: str) -> str:
    """`--link`: `container[:alias]`."""
    if not text:
        raise ValueError("empty string specified for links")
    if text.count(":") > 1:
        raise ValueError(f"bad format for links: {text}")
    return text


def extra_host(text: str) -> str:
    """`--add-host`: `name:address` or `name=address`, as `name:address`."""
    equals = text.find("=")
    colon = text.find(":")
    at = equals if equals > 0 and (colon < 0 or equals < colon) else colon
    name, address = text[:at], text[at + 1 :]
    if at <= 0 or not name or not address:
        raise ValueError(f'bad format for add-host: "{text}"')
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if address != HOST_GATEWAY and not is_address(address):
        raise ValueError(f'invalid IP address in add-host: "{address}"')
    return f"{name}:{address}"


def is_address(text: str, family: int = 0) -> bool:
    """Whether `text` is an IPv4 or IPv6 address."""
    for kind in (family,) if family else (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(kind, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def dns(text: str) -> str:
    """`--dns`: an address."""
    if not is_address(text.strip()):
        raise ValueError(f"IP address is not correctly formatted: {text}")
    return text.strip()


def dns_search(text: str) -> str:
    """`--dns-search`: a domain, or `.` for none."""
    text = text.strip(" ")
    if text == ".":
        return text
    letters = all(part and all(c.isascii() and (c.isalnum() or c in "-_") for c in part) for part in text.split("."))
    if not letters or not any(c.isalpha() for c in text) or len(text) > 255:
        raise ValueError(f"{text} is not a valid domain")
    return text


def sysctl(text: str) -> str:
    """`--sysctl`: `name=value` of what has a namespace."""
    name, equals, _ = text.partition("=")
    if not equals or not (name in SYSCTLS or name.startswith(SYSCTL_PREFIXES)):
        raise ValueError(f"sysctl '{text}' is not allowed")
    return text


def ulimit(text: str) -> tuple[str, int, int]:
    """`--ulimit`: `name=soft[:hard]` as (name, soft, hard); -1 is unlimited."""
    name, equals, limits = text.partition("=")
    if not equals:
        raise ValueError(f"invalid ulimit argument: {text}")
    if name not in ULIMITS:
        raise ValueError(f"invalid ulimit type: {name}")
    parts = limits.split(":")
    if len(parts) > 2:
        raise ValueError(f"too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`")
    numbers = [decimal(part) for part in parts]
    soft, hard = numbers[0], numbers[-1]
    if hard != -1 and (soft > hard or soft == -1):
        raise ValueError(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
    return name, soft, hard


def decimal(text: str, function: str = "ParseInt") -> int:
    """A decimal number as Go's strconv reads it."""
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise ValueError(f'strconv.{function}: parsing "{text}": invalid syntax')
    return int(text)


def weight_device(text: str) -> dict[str, object]:
    """`--blkio-weight-device`: `/dev/x:weight`."""
    path, weight = _device(text)
    if not weight.isdecimal() or int(weight) not in (0, *WEIGHTS):
        raise ValueError(f"invalid weight for device: {text}")
    return {"Path": path, "Weight": int(weight)}


def rate_device(text: str) -> dict[str, object]:
    """`--device-read-bps`: `/dev/x:1mb`."""
    from dockwright.grammar.units import ram_in_bytes

    path, rate = _device(text)
    try:
        return {"Path": path, "Rate": ram_in_bytes(rate)}
    except ValueError:
        shown = RATE.format(text) + "[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
        raise ValueError(shown) from None


def iops_device(text: str) -> dict[str, object]:
    """`--device-read-iops`: `/dev/x:1000`."""
    path, rate = _device(text)
    if not rate.isdecimal():
        raise ValueError(RATE.format(text) + ". Number must be a positive integer")
    return {"Path": path, "Rate": int(rate)}


def _device(text: str) -> tuple[str, str]:
    path, _, value = text.partition(":")
    if not path or not value:
        raise ValueError(f"bad format: {text}")
    if not path.startswith("/dev/"):
        raise ValueError(f"bad format for device path: {text}")
    return path, value


def cgroup_rule(text: str) -> str:
    """`--device-cgroup-rule`: `c 1:3 rwm`."""
    words = text.split(" ")
    numbers = words[1].split(":") if len(words) == 3 else []
    fine = len(numbers) == 2 and all(number == "*" or number.isdecimal() for number in numbers)
    if not fine or words[0] not in ("a", "b", "c") or not 1 <= len(words[2]) <= 3 or words[2].strip("rwm"):
        raise ValueError(f"invalid device cgroup format '{text}'")
    return text


def gpus(text: str) -> dict[str, object]:
    """`--gpus`: `all`, a count, or `driver=,count=,device=,capabilities=,options=`."""
    from dockwright.grammar.csv import fields

    request: dict[str, object] = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}
    seen = set()
    for field in fields(text):
        key, equals, value = field.partition("=")
        if key in seen:
            raise ValueError(f"gpu request key '{key}' can be specified only once")
        seen.add(key)
        if not equals:
            request["Count"] = _count(key)
        elif key == "driver":
            request["Driver"] = value
        elif key == "count":
            request["Count"] = _count(value)
        elif key == "device":
            request["DeviceIDs"] = value.split(",")
        elif key == "capabilities":
            request["Capabilities"] = [[*value.split(","), "gpu"]]
        elif key == "options":
            request["Options"] = dict(_pair(pair) for pair in fields(value))
        else:
            raise ValueError(f"unexpected key '{key}' in '{field}'")
    if "Count" in request and request["Count"] == 0 and not request["DeviceIDs"]:
        request["Count"] = 1
    return request


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _count(text: str) -> int:
    if text == "all":
        return -1
    try:
        return decimal(text)
    except ValueError:
        reason = 'value must be either "all" or an integer: invalid syntax'
        raise ValueError(f"invalid count ({text}): {reason}") from None


def is_mac(text: str) -> bool:
    """Whether `text` is a MAC address of six bytes, by colons, dashes or Cisco's dots."""
    if "." in text:
        groups, size = text.split("."), 4
    else:
        groups, size = text.split("-" if "-" in text else ":"), 2
    digits = "".join(groups)
    return len(digits) == 12 and all(len(group) == size for group in groups) and not digits.strip("0123456789abcdefABCDEF")
