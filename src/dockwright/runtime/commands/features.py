"""Print what this runtime can do (OCI runtime spec, features.md)."""

from __future__ import annotations

from dockwright import __version__
from dockwright.runtime import apparmor, capabilities, options, shape
from dockwright.runtime.arguments import Options
from dockwright.runtime.context import OCI_VERSION
from dockwright.runtime.document import dumps
from dockwright.runtime.main import Globals, say
from dockwright.runtime.namespaces import FLAGS as NAMESPACES
from dockwright.runtime.seccomp import ACTIONS, OPERATORS

FLAGS: dict[str, str] = {}
WORDS = (0, 0)
ARCHITECTURES = (
    "AARCH64", "ARM", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC", "PPC64", "PPC64LE",
    "RISCV64", "S390", "S390X", "X32", "X86", "X86_64",
)  # fmt: skip


def run(_options: Options, _env: Globals) -> int:
    """`features`."""
    flags = [*options.ATTRIBUTES, *options.PROPAGATION, *options.SUPERBLOCK, "bind", "rbind", "tmpcopyup"]
    linux = {
        "namespaces": sorted(NAMESPACES),
        "capabilities": [f"CAP_{name}" for name in capabilities.NAMES],
        "cgroup": {"v1": True, "v2": True, "systemd": False, "systemdUser": False, "rdma": False},
        "seccomp": {
            "enabled": True, "actions": sorted(set(ACTIONS) - {"SCMP_ACT_NOTIFY"}), "operators": sorted(OPERATORS),
            "archs": [f"SCMP_ARCH_{name}" for name in ARCHITECTURES],
        },
        "apparmor": {"enabled": apparmor.enabled()},
        "selinux": {"enabled": False},
        "intelRdt": {"enabled": False},
        "mountExtensions": {"idmap": {"enabled": False}},
    }  # fmt: skip
    return say(dumps({
        "ociVersionMin": "1.0.0", "ociVersionMax": OCI_VERSION, "hooks": list(shape.HOOKS),
        "mountOptions": sorted(flags), "linux": linux, "annotations": {"org.dockwright.runc.version": __version__},
        "potentiallyUnsafeConfigAnnotations": [],
    }, 2) + "\n")  # fmt: skip
