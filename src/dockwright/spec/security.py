"""HostConfig.SecurityOpt: `no-new-privileges`, `seccomp=`, `apparmor=`, `label=`.

Sources: docker-run(1), --security-opt; seccomp(5)'s profile format as Docker documents it.
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter, NotSupported

TRUE, FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
DISABLE = "label=disable"
GO_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
SECCOMP_ARCHITECTURE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}


@dataclass(slots=True)
class Security:
    """What the options of one container ask for.

    Attributes:
        seccomp: "builtin", "unconfined", a profile's JSON text, or "" for the daemon's.
        apparmor: a profile, "" for the default one.
        labels: of SELinux.
    """

    no_new_privileges: bool = False
    seccomp: str = ""
    apparmor: str = ""
    labels: list[str] = field(default_factory=list)


def parse(options: Sequence[str], no_new_privileges: bool = False) -> Security:
    """The options one by one; of those given twice the last counts.

    Args:
        no_new_privileges: what holds when no option says.

    Raises:
        Internal: an unknown one, in Docker's words; Docker gives this error no class.
    """
    security = Security(no_new_privileges)
    for option in options:
        if option == "no-new-privileges":
            security.no_new_privileges = True
        elif option == "disable":
            security.labels.append(option)
        else:
            _assign(security, option)
    return security


def _assign(security: Security, option: str) -> None:
    separator = "=" if "=" in option else ":"  # the colon is the older form
    key, found, value = option.partition(separator)
    if not found:
        raise Internal(f'invalid --security-opt 1: "{option}"')
    if key == "label":
        security.labels.append(value)
    elif key in ("seccomp", "apparmor"):
        setattr(security, key, value)
    elif key == "no-new-privileges" and value in (*TRUE, *FALSE):
        security.no_new_privileges = value in TRUE
    else:
        raise Internal(f'invalid --security-opt 2: "{option}"')


def check(options: Sequence[str], apparmor: bool) -> None:
    """Refuse what this host cannot do.

    Args:
        apparmor: whether AppArmor is enabled here.

    Raises:
        InvalidParameter: no such option, or a seccomp profile that is none. NotSupported: SELinux or AppArmor is missing.
    """
    security = parse(options)
    if any(label != "disable" for label in security.labels):
        raise NotSupported("label options are for SELinux, which this engine does not set")
    if security.apparmor not in ("", "unconfined") and not apparmor:
        raise NotSupported(f"AppArmor is not enabled on this host: profile {security.apparmor} cannot be applied")
    if security.seccomp not in ("", "builtin", "unconfined"):
        profile(security.seccomp, [])


def profile(text: str, capabilities: Sequence[str]) -> dict[str, Any]:
    """The OCI linux.seccomp of a profile in Docker's format, for a container with these capabilities.

    Raises:
        InvalidParameter: the text is no such profile.
    """
    try:
        given = json.loads(text)
        calls = [_call(call) for call in given.get("syscalls") or () if _applies(call, set(capabilities))]
        linux = {"defaultAction": given["defaultAction"], "architectures": _architectures(given), "syscalls": calls}
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from None
    for name in ("defaultErrnoRet", "flags", "listenerPath", "listenerMetadata"):
        if given.get(name) is not None:
            linux[name] = given[name]
    return linux


def _architectures(given: dict[str, Any]) -> list[str]:
    """`architectures` as it stands, or from `archMap` the entry of this machine."""
    own = SECCOMP_ARCHITECTURE.get(platform.machine(), "")
    for entry in given.get("archMap") or ():
        if entry["architecture"] == own:
            return [own, *(entry.get("subArchitectures") or ())]
    return list(given.get("architectures") or ())


def _applies(call: dict[str, Any], capabilities: set[str]) -> bool:
    """Whether a rule's `includes` all hold and none of its `excludes` does."""
    includes, excludes = call.get("includes") or {}, call.get("excludes") or {}
    here = GO_ARCHITECTURE.get(platform.machine(), "")
    wanted = (
        here in (includes.get("arches") or [here])
        and set(includes.get("caps") or ()) <= capabilities
        and _kernel() >= _release(includes.get("minKernel") or "0")
    )
    unwanted = (
        here in (excludes.get("arches") or ())
        or set(excludes.get("caps") or ()) & capabilities
        or ("minKernel" in excludes and _kernel() >= _release(excludes["minKernel"]))
    )
    return wanted and not unwanted


def _call(call: dict[str, Any]) -> dict[str, Any]:
    names = call.get("names") or [call["name"]]
    made = {"names": names, "action": call["action"], "args": call.get("args") or []}
    if call.get("errnoRet") is not None:
        made["errnoRet"] = call["errnoRet"]
    return made


def _kernel() -> tuple[int, ...]:
    return _release(os.uname().release)


def _release(text: str) -> tuple[int, ...]:
    """The first two numbers of a kernel release."""
    numbers = [int(part) for part in text.split("-")[0].split(".")[:2] if part.isdecimal()]
    return tuple([*numbers, 0, 0][:2])
