"""Platforms: how they are written, and which image of an index runs where.

Sources: OCI image spec 1.1 (image-index.md, "platform"); containerd's and Docker's order of candidates as observed, see
docs/rooms/images.md.
"""

import os
from collections.abc import Sequence

from dockwright.base.errors import InvalidParameter
from dockwright.host.system import go_architecture
from dockwright.images.oci import Descriptor, Platform, is_attestation

_ALIASES = {
    "x86_64": ("amd64", ""), "x86-64": ("amd64", ""), "aarch64": ("arm64", ""), "i386": ("386", ""),
    "armhf": ("arm", "v7"), "armel": ("arm", "v6"),
}  # fmt: skip
_PLAIN = {("amd64", "v1"): "", ("arm64", "v8"): "", ("arm64", "8"): "", ("arm", ""): "v7"}
_ARCHITECTURES = {
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x",
    "wasm",
}  # fmt: skip
SYSTEMS = ("linux", "windows", "darwin", "freebsd")
_SYSTEM_ALIASES = {"macos": "darwin"}


def normal(architecture: str, variant: str) -> tuple[str, str]:
    """An architecture and its variant by their usual names; the variant everybody means is not written."""
    name, implied = _ALIASES.get(architecture.lower(), (architecture.lower(), ""))
    variant = (variant or implied).lower()
    if name == "arm" and variant.isdecimal():
        variant = f"v{variant}"
    return name, _PLAIN.get((name, variant), variant)


def shown(platform: Platform) -> str:
    """`os/architecture[/variant]`."""
    return "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)


def host() -> Platform:
    """This host's platform, without its variant."""
    return Platform(os="linux", architecture=go_architecture(os.uname().machine))


def parse(text: str) -> Platform:
    """`os`, `architecture` or `os/architecture[/variant]`; what is left out is this host's.

    Raises:
        InvalidParameter: in Docker's words.
    """
    own = host()
    parts = text.lower().split("/")
    parts[0] = _SYSTEM_ALIASES.get(parts[0], parts[0])
    if len(parts) == 1:
        known = normal(parts[0], "")[0] in _ARCHITECTURES
        parts = [own.os, parts[0]] if known else [parts[0], own.architecture]
    if len(parts) > 3 or parts[0] not in SYSTEMS or not all(parts):
        raise InvalidParameter(f'"{text}": unknown operating system or architecture: invalid argument')
    architecture, variant = normal(parts[1], parts[2] if len(parts) == 3 else "")
    if len(parts) == 3:
        variant = variant or parts[2]  # what is said is kept
    elif (architecture, variant) == ("arm", "v7"):
        variant = ""
    return Platform(os=parts[0], architecture=architecture, variant=variant)


def _levels(variant: str, least: int) -> list[str]:
    """`vN` and those below it, down to `least`."""
    number = int(variant[1:]) if variant[1:].isdecimal() else 0
    return [f"v{level}" for level in range(number, least - 1, -1)]


def candidates(architecture: str, variant: str) -> list[tuple[str, str]]:
    """What a processor of this kind runs, best first; "" is the variant that is not written."""
    name, variant = normal(architecture, variant)
    if name == "amd64":
        return [*((name, level) for level in _levels(variant, 2)), (name, ""), ("386", "")]
    if name == "arm64":
        own = [(name, variant)] if variant else []
        return [*own, (name, ""), *(("arm", level) for level in _levels("v8", 5))]
    if name == "arm":
        return [(name, level) for level in _levels(variant, 5)]
    return [(name, variant)] if not variant else [(name, variant), (name, "")]


def _host_variant(architecture: str) -> str:
    """The x86-64 level of this processor, by its flags (x86-64 psABI, "micro-architecture levels"); "" elsewhere."""
    if architecture != "amd64":
        return ""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        flags = next((set(line.split()) for line in file if line.startswith("flags")), set())
    level = 1
    for needed in ({"cx16", "popcnt", "sse4_2"}, {"avx2", "bmi2", "fma", "movbe"}, {"avx512f", "avx512bw", "avx512vl"}):
        if not needed <= flags:
            break
        level += 1
    return f"v{level}"


def best(entries: Sequence[Descriptor], wanted: Platform | None = None) -> list[Descriptor]:
    """Those that run on `wanted` (None: on this host), the best first; one without a platform fits anything and comes last."""
    system, architecture, variant = ("linux", host().architecture, "") if wanted is None else _parts(wanted)
    order = candidates(architecture, variant if wanted else _host_variant(architecture))

    def rank(entry: Descriptor) -> int:
        if entry.platform is None:
            return len(order)
        name = normal(entry.platform.architecture, entry.platform.variant)
        return order.index(name) if entry.platform.os.lower() in ("", system) and name in order else -1

    return sorted((e for e in entries if not is_attestation(e) and rank(e) >= 0), key=rank)


def _parts(platform: Platform) -> tuple[str, str, str]:
    return platform.os or "linux", platform.architecture, platform.variant
