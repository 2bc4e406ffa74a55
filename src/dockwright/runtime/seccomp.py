"""Compiling the spec's linux.seccomp to BPF, once per profile: the result is cached as a file named by its hash.

A tree-optimised filter is loaded in 0.3 ms; compiling takes 12 to 16 ms (docs/performance.md), so it is done once.
"""

from __future__ import annotations

import marshal
import os

from dockwright.kernel import seccomp
from dockwright.runtime.failure import RuntimeFailure, explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Profile = dict[str, Any]

DIGEST = 32  # bytes of the checksum at the head of a cache file
FORMAT = 3  # part of the cache's key: changes when compile() makes other code of the same profile
ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000, "SCMP_ACT_KILL_THREAD": 0x00000000, "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000, "SCMP_ACT_ERRNO": 0x00050000, "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_ALLOW": 0x7FFF0000, "SCMP_ACT_NOTIFY": 0x7FC00000,
}  # fmt: skip
OPERATORS = {
    "SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5, "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}  # fmt: skip
EPERM = 1


def filter_of(profile: Profile, cache: str) -> seccomp.Filter:
    """The loadable filter of an OCI seccomp profile.

    Args:
        profile: linux.seccomp of the spec. cache: directory for compiled filters, made if missing; "" for none.

    Raises:
        RuntimeFailure: the profile is not valid, or libseccomp is missing.
    """
    flags = sum(_known(seccomp.FLAGS, flag, "flag") for flag in profile.get("flags") or ())
    return seccomp.Filter(_cached(profile, cache) if cache else compile_profile(profile), flags)


def _cached(profile: Profile, cache: str) -> bytes:
    path = f"{cache}/{key(profile)}"
    code = _read(path)
    if code:
        return code
    code = compile_profile(profile)
    os.makedirs(cache, mode=0o700, exist_ok=True)
    temporary = f"{path}.tmp{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(_digest(code) + code)
    os.rename(temporary, path)
    return code


def _read(path: str) -> bytes:
    """The code in a cache file; b"" if there is none, or not all of it (a full disk, a power cut)."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return b""
    digest, code = data[:DIGEST], data[DIGEST:]
    return code if digest == _digest(code) else b""


def _digest(data: bytes) -> bytes:
    from _blake2 import blake2b  # hashlib itself would load OpenSSL into every shim

    digest: bytes = blake2b(data, digest_size=DIGEST).digest()
    return digest


def key(profile: Profile) -> str:
    """The cache's file name for a profile: a hash of its content, as it is written down (another order is compiled anew)."""
    return _digest(marshal.dumps([FORMAT, os.uname().machine, profile], 2)).hex()


def compile_profile(profile: Profile) -> bytes:
    """The profile as BPF code (struct sock_filter's)."""
    try:
        library = seccomp.library()
        return _compile(library, profile)
    except OSError as error:
        raise RuntimeFailure(f"unable to init seccomp: {explain(error)}") from None


def _compile(library: seccomp.Library, profile: Profile) -> bytes:
    default = _action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    context = library.c.seccomp_init(default)
    if not context:
        raise RuntimeFailure("error creating filter: unable to create seccomp filter")
    try:
        library.check(library.c.seccomp_attr_set(context, seccomp.ATTRIBUTE_NNP, 0), "no_new_privs")
        library.check(library.c.seccomp_attr_set(context, seccomp.ATTRIBUTE_OPTIMIZE, 2), "optimize")
        for name in profile.get("architectures") or ():
            _add_architecture(library, context, name)
        for call in profile.get("syscalls") or ():
            _add_call(library, context, call, default)
        return _export(library, context)
    finally:
        library.c.seccomp_release(context)


def _add_architecture(library: seccomp.Library, context: int, name: str) -> None:
    token = library.c.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
    if not token:
        raise RuntimeFailure(f"error adding architecture to seccomp filter: invalid architecture {name}")
    library.check(library.c.seccomp_arch_add(context, token), name, (seccomp.EEXIST,))


def _add_call(library: seccomp.Library, context: int, call: Profile, default: int) -> None:
    action = _action(call["action"], call.get("errnoRet"))
    if action == default:
        return
    for name in call["names"]:
        number = library.c.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            continue  # newer than the library: the default action holds for it
        for group in _argument_groups(call.get("args") or []):
            compared = (seccomp.Comparison * max(len(group), 1))(*[_comparison(a) for a in group])
            result = library.c.seccomp_rule_add_array(context, action, number, len(group), compared)
            library.check(result, name, (seccomp.EEXIST, seccomp.EDOM))


def _argument_groups(arguments: list[Profile]) -> list[list[Profile]]:
    """Conditions on different arguments must all hold; on the same argument one of them is enough (as runc reads the spec)."""
    indexes = [a["index"] for a in arguments]
    return [arguments] if len(set(indexes)) == len(indexes) else [[a] for a in arguments]


def _comparison(argument: Profile) -> seccomp.Comparison:
    operator = _known(OPERATORS, argument["op"], "operator")
    value, second = argument["value"], argument.get("valueTwo", 0)
    return seccomp.Comparison(argument["index"], operator, value, second)


def _action(name: str, errno_return: int | None) -> int:
    action = _known(ACTIONS, name, "action")
    if name in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
        action |= EPERM if errno_return is None else errno_return
    return action


def _known(table: dict[str, int], name: str, what: str) -> int:
    if name not in table:
        raise RuntimeFailure(f"invalid seccomp {what}: string {name} is not a valid {what} for seccomp")
    return table[name]


def _export(library: seccomp.Library, context: int) -> bytes:
    fd = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        library.check(library.c.seccomp_export_bpf(context, fd), "export")
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)
