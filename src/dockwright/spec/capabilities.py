"""Docker's fourteen capabilities, and what --cap-add, --cap-drop and --privileged make of them."""

from dockwright.base.errors import InvalidParameter
from dockwright.runtime.capabilities import NAMES

DEFAULT = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip


def normalise(names: list[str] | None, field: str) -> list[str]:
    """User's spellings (any case, with or without CAP_, ALL) as `CAP_X`.

    Raises:
        InvalidParameter: an unknown name, in Docker's words with `field` (CapAdd, CapDrop).
    """
    normal = []
    for name in names or ():
        upper = name.upper()
        if upper == "ALL":
            normal.append("ALL")
            continue
        full = upper if upper.startswith("CAP_") else f"CAP_{upper}"
        if full[4:] not in NAMES:
            raise InvalidParameter(f'invalid {field}: unknown capability: "{full}"')
        normal.append(full)
    return normal


def effective(add: list[str] | None, drop: list[str] | None, privileged: bool, held: int) -> list[str]:
    """The capabilities of a container, in the kernel's order.

    Args:
        held: mask of what the engine itself holds: the most that "all" can mean.
    """
    every = [f"CAP_{name}" for number, name in enumerate(NAMES) if held >> number & 1]
    if privileged:
        return every
    added, dropped = normalise(add, "CapAdd"), normalise(drop, "CapDrop")
    if "ALL" in added:
        chosen = {name for name in every if name not in dropped}
    elif "ALL" in dropped:
        chosen = set(added)
    else:
        chosen = ({f"CAP_{name}" for name in DEFAULT} - set(dropped)) | set(added)
    return [f"CAP_{name}" for name in NAMES if f"CAP_{name}" in chosen]
