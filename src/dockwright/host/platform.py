"""This machine as a platform of images: operating system, architecture, variant (OCI image spec, image-index.md)."""

import functools
import os

from dockwright.host.files import HostFiles
from dockwright.host.system import go_architecture

# flags of /proc/cpuinfo that a level of x86-64 adds (System V ABI, AMD64 supplement, Micro-Architecture Levels)
_LEVELS = (
    ("v2", {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
    ("v3", {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}),
    ("v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
)


@functools.cache
def own(files: HostFiles | None = None) -> str:
    """The platform of this machine, such as `linux/amd64/v3`. Looked at once: /proc/cpuinfo takes a millisecond."""
    architecture = go_architecture(os.uname().machine)
    variant = _level(files or HostFiles()) if architecture == "amd64" else ""
    return "/".join(filter(None, ("linux", architecture, variant)))


def _level(files: HostFiles) -> str:
    text = files.text("/proc/cpuinfo")
    flags = set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
    level = ""
    for name, wanted in _LEVELS:
        if not wanted <= flags:
            break
        level = name
    return level
