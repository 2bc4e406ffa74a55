"""The shape of an OCI config.json as data, and the check of a document against it.

Source: OCI runtime spec 1.2, schema/config-schema.json. Only fields that we read are listed; others pass.
"""

from __future__ import annotations

from dockwright.runtime.failure import RuntimeFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STRING, NUMBER, FLAG = str, int, bool
_GO = {str: "string", int: "int64", bool: "bool"}
TEXTS = {str: STRING}  # a JSON object of any keys
DEVICE = {"type": STRING, "path": STRING, "major": NUMBER, "minor": NUMBER, "fileMode": NUMBER, "uid": NUMBER, "gid": NUMBER}
RULE = {"allow": FLAG, "type": STRING, "major": NUMBER, "minor": NUMBER, "access": STRING}
MAP = {"containerID": NUMBER, "hostID": NUMBER, "size": NUMBER}
THROTTLE = {"major": NUMBER, "minor": NUMBER, "rate": NUMBER}
WEIGHT = {"major": NUMBER, "minor": NUMBER, "weight": NUMBER, "leafWeight": NUMBER}
MOUNT = {"destination": STRING, "type": STRING, "source": STRING, "options": [STRING], "uidMappings": [MAP], "gidMappings": [MAP]}
HOOK = {"path": STRING, "args": [STRING], "env": [STRING], "timeout": NUMBER}
PROCESS = {
    "terminal": FLAG, "consoleSize": {"height": NUMBER, "width": NUMBER}, "cwd": STRING, "env": [STRING],
    "args": [STRING], "noNewPrivileges": FLAG, "apparmorProfile": STRING, "selinuxLabel": STRING, "oomScoreAdj": NUMBER,
    "user": {"uid": NUMBER, "gid": NUMBER, "umask": NUMBER, "additionalGids": [NUMBER]},
    "rlimits": [{"type": STRING, "soft": NUMBER, "hard": NUMBER}],
    "capabilities": {
        "bounding": [STRING], "effective": [STRING], "permitted": [STRING], "inheritable": [STRING], "ambient": [STRING],
    },
    "ioPriority": {"class": STRING, "priority": NUMBER},
    "scheduler": {
        "policy": STRING, "nice": NUMBER, "priority": NUMBER, "flags": [STRING], "runtime": NUMBER, "deadline": NUMBER,
        "period": NUMBER,
    },
}  # fmt: skip
RESOURCES = {
    "devices": [RULE],
    "memory": {
        "limit": NUMBER, "reservation": NUMBER, "swap": NUMBER, "kernel": NUMBER, "kernelTCP": NUMBER,
        "swappiness": NUMBER, "disableOOMKiller": FLAG, "useHierarchy": FLAG, "checkBeforeUpdate": FLAG,
    },
    "cpu": {
        "shares": NUMBER, "quota": NUMBER, "period": NUMBER, "burst": NUMBER, "realtimeRuntime": NUMBER,
        "realtimePeriod": NUMBER, "cpus": STRING, "mems": STRING, "idle": NUMBER,
    },
    "pids": {"limit": NUMBER},
    "blockIO": {
        "weight": NUMBER, "leafWeight": NUMBER, "weightDevice": [WEIGHT], "throttleReadBpsDevice": [THROTTLE],
        "throttleWriteBpsDevice": [THROTTLE], "throttleReadIOPSDevice": [THROTTLE], "throttleWriteIOPSDevice": [THROTTLE],
    },
    "hugepageLimits": [{"pageSize": STRING, "limit": NUMBER}],
    "network": {"classID": NUMBER, "priorities": [{"name": STRING, "priority": NUMBER}]},
    "unified": TEXTS,
}  # fmt: skip
SECCOMP = {
    "defaultAction": STRING, "defaultErrnoRet": NUMBER, "architectures": [STRING], "flags": [STRING],
    "listenerPath": STRING,
    "syscalls": [{
        "names": [STRING], "action": STRING, "errnoRet": NUMBER,
        "args": [{"index": NUMBER, "value": NUMBER, "valueTwo": NUMBER, "op": STRING}],
    }],
}  # fmt: skip
LINUX = {
    "namespaces": [{"type": STRING, "path": STRING}], "uidMappings": [MAP], "gidMappings": [MAP], "devices": [DEVICE],
    "cgroupsPath": STRING, "resources": RESOURCES, "rootfsPropagation": STRING, "seccomp": SECCOMP, "sysctl": TEXTS,
    "maskedPaths": [STRING], "readonlyPaths": [STRING], "mountLabel": STRING,
    "personality": {"domain": STRING, "flags": [STRING]},
    "timeOffsets": {str: {"secs": NUMBER, "nanosecs": NUMBER}},
}  # fmt: skip
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
SPEC = {
    "ociVersion": STRING, "process": PROCESS, "root": {"path": STRING, "readonly": FLAG}, "hostname": STRING,
    "domainname": STRING, "mounts": [MOUNT], "annotations": TEXTS, "linux": LINUX,
    "hooks": {kind: [HOOK] for kind in HOOKS},
}  # fmt: skip
REQUIRED = {
    id(MOUNT): ("destination",), id(MAP): ("containerID", "hostID", "size"), id(HOOK): ("path",),
    id(DEVICE): ("type", "path"), id(SECCOMP): ("defaultAction",), id(THROTTLE): ("major", "minor", "rate"),
}  # fmt: skip


def check(value: Any, expected: Any, where: str) -> None:
    """See that `value` has the shape `expected`; null counts as absent.

    Raises:
        RuntimeFailure: as Go's encoding/json words it.
    """
    if value is None:
        return
    if isinstance(expected, dict):
        _object(value, expected, where)
    elif isinstance(expected, list):
        if not isinstance(value, list):
            raise _mismatch(value, where, "[]" + _name(expected[0]))
        for item in value:
            if item is None:
                raise _mismatch(item, where, _name(expected[0]))
            check(item, expected[0], where)
    else:
        _scalar(value, expected, where)


def _object(value: Any, expected: dict[Any, Any], where: str) -> None:
    if not isinstance(value, dict):
        raise _mismatch(value, where, "object")
    if str in expected:
        for key, item in value.items():
            check(item, expected[str], f"{where}.{key}")
        return
    for key in REQUIRED.get(id(expected), ()):
        if value.get(key) is None:
            raise RuntimeFailure(f"{where}.{key} is required")
    for key, item in value.items():
        if key in expected:
            check(item, expected[key], f"{where}.{key}")


def _scalar(value: Any, expected: type, where: str) -> None:
    if expected is int and isinstance(value, float) and value.is_integer():
        return
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise _mismatch(value, where, _GO[expected])
    if isinstance(value, str):
        if "\0" in value:
            raise RuntimeFailure(f"{where} contains a NUL byte")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RuntimeFailure(f"{where} is not valid UTF-8") from None
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        raise _mismatch(f"number {value}", where, "int64")


def _mismatch(value: Any, where: str, wanted: str) -> RuntimeFailure:
    kind = value if isinstance(value, str) and value.startswith("number ") else kind_of(value)
    return RuntimeFailure(f"json: cannot unmarshal {kind} into Go struct field {where} of type {wanted}")


def kind_of(value: Any) -> str:
    """The JSON name of a value's type."""
    names = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return names.get(type(value), "null")


def _name(expected: Any) -> str:
    return _GO.get(expected, "object") if not isinstance(expected, (dict, list)) else "object"
