"""Which devices a container may open: v1's device lists, v2's BPF program.

Sources: kernel Documentation/admin-guide/cgroup-v1/devices.rst; cgroup-v2.rst "Device controller"; struct
bpf_cgroup_dev_ctx in include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import os

from dockwright.kernel import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Rule = dict[str, Any]

# devices every runtime allows (OCI runtime spec, config-linux.md, default devices), whatever the list says
DEFAULTS: tuple[tuple[str, int | None, int | None, str], ...] = (
    ("c", None, None, "m"), ("b", None, None, "m"),
    ("c", 1, 3, "rwm"), ("c", 1, 5, "rwm"), ("c", 1, 7, "rwm"), ("c", 1, 8, "rwm"), ("c", 1, 9, "rwm"),
    ("c", 5, 0, "rwm"), ("c", 5, 2, "rwm"), ("c", 136, None, "rwm"),
)  # fmt: skip


def with_defaults(rules: list[Rule]) -> list[Rule]:
    """The spec's rules followed by the default devices, unless the spec allows everything anyway."""
    if rules and rules[-1].get("allow") and rules[-1].get("type", "a") == "a":
        return rules
    defaults = [
        {"allow": True, "type": kind, "major": major, "minor": minor, "access": access}
        for kind, major, minor, access in DEFAULTS
    ]
    return [*rules, *defaults]


def v1_writes(rules: list[Rule]) -> list[tuple[str, str, str]]:
    """The writes to devices.allow and devices.deny that make `rules` true, in order."""
    writes = []
    for rule in rules:
        file = "devices.allow" if rule.get("allow") else "devices.deny"
        kind = rule.get("type") or "a"
        value = (
            "a"
            if kind == "a"
            else f"{kind} {_number(rule, 'major')}:{_number(rule, 'minor')} {rule.get('access') or 'rwm'}"
        )
        writes.append(("devices", file, value))
    return writes


def _number(rule: Rule, key: str) -> str:
    value = rule.get(key)
    return "*" if value is None or value < 0 else str(value)


# bpf_cgroup_dev_ctx: u32 access_type (low half: device type, high half: access), u32 major, u32 minor
_TYPES = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}


def program(rules: list[Rule]) -> bytes:
    """A BPF_PROG_TYPE_CGROUP_DEVICE program that answers as `rules` do: the last rule that fits decides."""
    code = bpf.load_word(2, 1, 0) + bpf.and_constant(2, 0xFFFF)
    code += bpf.load_word(3, 1, 0) + bpf.shift_right(3, 16)
    code += bpf.load_word(4, 1, 4) + bpf.load_word(5, 1, 8)
    for rule in reversed(rules):
        code += _block(rule)
        if (rule.get("type") or "a") == "a" and set(rule.get("access") or "rwm") == set("rwm"):
            return code  # it answers whatever is asked; the verifier wants nothing behind it
    return code + bpf.answer(0)


def _block(rule: Rule) -> bytes:
    """The tests of one rule, then its answer; a failed test jumps behind it."""
    kind = rule.get("type") or "a"
    access = sum(_ACCESS[letter] for letter in set(rule.get("access") or "rwm"))
    tests: list[tuple[str, int, int]] = []
    if kind in _TYPES:
        tests.append(("ne", 2, _TYPES[kind]))
    for register, key in ((4, "major"), (5, "minor")):
        value = rule.get(key)
        if kind != "a" and value is not None and value >= 0:
            tests.append(("ne", register, value))
    if access != 7:
        # allowing needs all that is asked; denying needs any of it
        tests.append(("outside" if rule.get("allow") else "apart", 3, access))
    body = bpf.answer(1 if rule.get("allow") else 0)
    for test, register, value in reversed(tests):
        body = bpf.skip_if(test, register, value, len(body) // 8) + body
    return body


def attach(directory: str, rules: list[Rule]) -> None:
    """Load the program of `rules` and attach it to the v2 cgroup `directory`, beside any already there."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        loaded = bpf.load_device_program(program(rules))
        try:
            bpf.attach_device_program(fd, loaded)
        finally:
            os.close(loaded)
    finally:
        os.close(fd)


def replace(directory: str, rules: list[Rule]) -> None:
    """Attach the program of `rules` to a v2 cgroup in place of those it has; its ancestors' stay.

    The new one is attached before the old ones go, so at no moment is more allowed than before and after.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    old: list[int] = []
    try:
        old = bpf.attached_device_programs(fd)
        attach(directory, rules)
        for program_fd in old:
            bpf.detach_device_program(fd, program_fd)
    finally:
        for descriptor in [*old, fd]:
            os.close(descriptor)
