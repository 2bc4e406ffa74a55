"""HostConfig from the flags of `run` and `create`."""

from __future__ import annotations

from dockwright.cli.faults import invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.grammar.flags import Given

PERMISSIONS = "rwm"


def host_config(given: Given) -> dict[str, Any]:
    """The document. Raises InvalidOptions."""
    security, unmasked = _security(given)
    capabilities = _capabilities(given)
    document = {
        "Binds": binds(given) or None, "ContainerIDFile": given.text("cidfile"), "LogConfig": _logging(given),
        "NetworkMode": network_mode(given), "PortBindings": published(given), "RestartPolicy": restart_policy(given, "no"),
        "AutoRemove": given.flag("rm"), "VolumeDriver": given.text("volume-driver"),
        "VolumesFrom": given.list("volumes-from") or None, "ConsoleSize": [0, 0], "CapAdd": capabilities[0],
        "CapDrop": capabilities[1], "CgroupnsMode": _mode(given, "cgroupns", "CGROUP", ("", "host", "private")),
        "Dns": given.list("dns"), "DnsOptions": given.list("dns-option"), "DnsSearch": given.list("dns-search"),
        "ExtraHosts": given.list("add-host") or None, "GroupAdd": given.list("group-add") or None,
        "IpcMode": given.text("ipc"), "Cgroup": "", "Links": given.list("link") or None,
        "OomScoreAdj": given.number("oom-score-adj"), "PidMode": _pid_mode(given), "Privileged": given.flag("privileged"),
        "PublishAllPorts": given.flag("publish-all"), "ReadonlyRootfs": given.flag("read-only"), "SecurityOpt": security,
        "UTSMode": _mode(given, "uts", "UTS", ("", "host")), "UsernsMode": _mode(given, "userns", "USER", ("", "host")),
        "ShmSize": given.number("shm-size"), "Isolation": given.text("isolation"),
        "MaskedPaths": [] if unmasked else None, "ReadonlyPaths": [] if unmasked else None,
        **_resources(given),
    }  # fmt: skip
    _refuse_restart_with_rm(given, document["RestartPolicy"])
    if "init" in given:
        document["Init"] = given.flag("init")
    return document | {name: value for name, value in _optional(given).items() if value}


def _resources(given: Given) -> dict[str, Any]:
    swappiness = given.number("memory-swappiness", -1)
    if swappiness != -1 and not 0 <= swappiness <= 100:
        raise invalid(f"invalid value: {swappiness}. Valid memory swappiness range is 0-100")
    devices, requests = _devices(given)
    return {
        "CpuShares": given.number("cpu-shares"), "Memory": given.number("memory"), "NanoCpus": given.number("cpus"),
        "CgroupParent": given.text("cgroup-parent"), "BlkioWeight": given.number("blkio-weight"),
        "BlkioWeightDevice": given.list("blkio-weight-device"), "BlkioDeviceReadBps": given.list("device-read-bps"),
        "BlkioDeviceWriteBps": given.list("device-write-bps"), "BlkioDeviceReadIOps": given.list("device-read-iops"),
        "BlkioDeviceWriteIOps": given.list("device-write-iops"), "CpuPeriod": given.number("cpu-period"),
        "CpuQuota": given.number("cpu-quota"), "CpuRealtimePeriod": given.number("cpu-rt-period"),
        "CpuRealtimeRuntime": given.number("cpu-rt-runtime"), "CpusetCpus": given.text("cpuset-cpus"),
        "CpusetMems": given.text("cpuset-mems"), "Devices": devices,
        "DeviceCgroupRules": given.list("device-cgroup-rule") or None, "DeviceRequests": requests or None,
        "MemoryReservation": given.number("memory-reservation"), "MemorySwap": given.number("memory-swap"),
        "MemorySwappiness": swappiness, "OomKillDisable": given.flag("oom-kill-disable"),
        "PidsLimit": given.number("pids-limit"), "Ulimits": _ulimits(given), "CpuCount": given.number("cpu-count"),
        "CpuPercent": given.number("cpu-percent"), "IOMaximumIOps": given.number("io-maxiops"),
        "IOMaximumBandwidth": given.number("io-maxbandwidth"),
    }  # fmt: skip


def _optional(given: Given) -> dict[str, Any]:
    """Fields that are there only with a value."""
    return {
        "Mounts": given.list("mount"),
        "Tmpfs": dict(text.partition(":")[::2] for text in given.list("tmpfs")),
        "Sysctls": dict(text.partition("=")[::2] for text in given.list("sysctl")),
        "StorageOpt": _storage(given),
        "Annotations": dict(text.partition("=")[::2] for text in given.list("annotation")),
        "Runtime": given.text("runtime"),
    }


def network_mode(given: Given) -> str:
    """The first network; "default" if none was said."""
    networks = given.list("network")
    return str(networks[0]["target"]) if networks else "default"


def binds(given: Given) -> list[str]:
    """The -v with a source; a relative path (./x) is made absolute."""
    found = []
    for text in given.list("volume"):
        source, colon, rest = text.partition(":")
        if not colon:
            continue
        if source == "." or source.startswith(("./", "../")) or source == "..":
            from posixpath import abspath

            text = f"{abspath(source)}:{rest}"
        if text not in found:
            found.append(text)
    return found


def anonymous(given: Given) -> dict[str, Any]:
    """The -v without a source: anonymous volumes, by where they go."""
    return {text: {} for text in given.list("volume") if ":" not in text}


def published(given: Given) -> dict[str, Any]:
    """PortBindings of -p."""
    specs = given.list("publish")
    if not specs:
        return {}
    from dockwright.grammar.ports import PortError, port_map

    try:
        return port_map([_standard(spec) for spec in specs])
    except PortError as error:
        raise invalid(str(error)) from error


def _standard(spec: str) -> str:
    """`published=80,target=8080,protocol=tcp` in the short form."""
    if "=" not in spec:
        return spec
    from dockwright.grammar.csv import fields

    parts: dict[str, str] = {}
    for field in fields(spec):
        key, equals, value = field.partition("=")
        if not equals or not value:
            raise invalid(f"invalid publish opts format (should be name=value but got '{field}')")
        parts[key] = value
    target = parts.get("target", "")
    short = f"{parts['published']}:{target}" if parts.get("published") else target
    return short + "/" + parts.get("protocol", "tcp")


def restart_policy(given: Given, default: str) -> dict[str, Any]:
    """--restart as the API's RestartPolicy. Raises InvalidOptions."""
    text = given.text("restart", default)
    name, colon, count = text.partition(":")
    if colon and not name:
        raise invalid("invalid restart policy format: no policy provided before colon")
    if count and not count.removeprefix("-").isdecimal():
        raise invalid("invalid restart policy format: maximum retry count must be an integer")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def _refuse_restart_with_rm(given: Given, policy: Any) -> None:
    if given.flag("rm") and policy["Name"] not in ("", "no"):
        raise invalid("conflicting options: cannot specify both --restart and --rm")


def _logging(given: Given) -> dict[str, Any]:
    driver = given.text("log-driver")
    options = dict(text.partition("=")[::2] for text in given.list("log-opt"))
    if driver == "none" and options:
        raise invalid("invalid logging opts for driver none")
    return {"Type": driver, "Config": options}


def _mode(given: Given, flag: str, shown: str, valid: tuple[str, ...]) -> str:
    value = given.text(flag)
    if value not in valid:
        raise invalid(f"--{flag}: invalid {shown} mode")
    return value


def _pid_mode(given: Given) -> str:
    value = given.text("pid")
    if value not in ("", "host") and not value.removeprefix("container:") != value:
        raise invalid("--pid: invalid PID mode")
    if value == "container:":
        raise invalid("--pid: invalid PID mode")
    return value


def _capabilities(given: Given) -> tuple[list[str] | None, list[str] | None]:
    """--cap-add and --cap-drop with their prefix, sorted."""
    add, drop = (sorted({_capability(name) for name in given.list(flag)}) for flag in ("cap-add", "cap-drop"))
    return add or None, drop or None


def _capability(name: str) -> str:
    name = name.strip().upper()
    return name if name in ("ALL", "RESET") or name.startswith("CAP_") else f"CAP_{name}"


def _security(given: Given) -> tuple[list[str] | None, bool]:
    """SecurityOpt, and whether `systempaths=unconfined` was among them. A seccomp profile is sent by value."""
    found, unmasked = [], False
    for text in given.list("security-opt"):
        if text == "systempaths=unconfined":
            unmasked = True
            continue
        equals = text.partition("=")[::2] if "=" in text else text.partition(":")[::2]
        if "=" not in text and ":" not in text and text != "no-new-privileges":
            raise invalid(f'Invalid --security-opt: "{text}"')
        if equals[0] == "seccomp" and equals[1] not in ("unconfined", "builtin"):
            text = f"seccomp={_profile(equals[1])}"
        found.append(text)
    return (found if given.list("security-opt") else None), unmasked


def _profile(path: str) -> str:
    from dockwright.client.documents import dumps, loads

    try:
        with open(path, "rb") as file:
            return dumps(loads(file.read())).decode()
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise invalid(f"opening seccomp profile ({path}) failed: open {path}: {reason}") from error
    except ValueError as error:
        raise invalid(f"compacting json for seccomp profile ({path}) failed: {error}") from error


def _storage(given: Given) -> dict[str, str]:
    options = {}
    for text in given.list("storage-opt"):
        key, equals, value = text.partition("=")
        if not equals:
            raise invalid("invalid storage option")
        options[key] = value
    return options


def _ulimits(given: Given) -> list[dict[str, Any]]:
    """By name; of one name the last counts."""
    limits = {name: (soft, hard) for name, soft, hard in given.list("ulimit")}
    return [{"Name": name, "Hard": hard, "Soft": soft} for name, (soft, hard) in sorted(limits.items())]


def _devices(given: Given) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Devices and DeviceRequests: --device with a path, --device with a CDI name, --gpus."""
    devices, requests, names = [], list(given.list("gpus")), []
    for text in given.list("device"):
        if _is_cdi(text):
            names.append(text)
        else:
            devices.append(_device(text))
    if names:
        requests.append({"Driver": "cdi", "Count": 0, "DeviceIDs": names, "Capabilities": None, "Options": None})
    return devices, requests


def _is_cdi(text: str) -> bool:
    """`vendor.com/class=name`."""
    kind, equals, name = text.partition("=")
    vendor, slash, category = kind.partition("/")
    return bool(equals and slash and vendor and category and name and not text.startswith("/") and ":" not in kind)


def _device(text: str) -> dict[str, str]:
    """`/dev/x[:/dev/y][:rwm]`."""
    parts = text.split(":")
    if len(parts) > 3:
        raise invalid(f"bad format for path: {text}")
    permissions = PERMISSIONS
    if len(parts) > 1 and _is_permission(parts[-1]):
        permissions = parts.pop()
    elif len(parts) == 3:
        raise invalid(f"bad mode specified: {parts[2]}")
    source, target = parts[0], parts[1] if len(parts) > 1 and parts[1] else parts[0]
    if not target.startswith("/"):
        raise invalid(f"{target} is not an absolute path")
    return {"PathOnHost": source, "PathInContainer": target, "CgroupPermissions": permissions}


def _is_permission(text: str) -> bool:
    return 0 < len(text) <= 3 and not text.strip(PERMISSIONS) and len(set(text)) == len(text)
