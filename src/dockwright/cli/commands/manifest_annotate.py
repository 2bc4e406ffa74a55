"""dockwright manifest annotate: what a manifest of a list is for."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.manifestlists import Store, reference
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("arch os os-features:stringSlice os-version variant")
ARGUMENTS = (2, 2)
KNOWN = {
    "aix": "ppc64", "android": "386 amd64 arm arm64", "darwin": "386 amd64 arm arm64", "dragonfly": "amd64",
    "freebsd": "386 amd64 arm",
    "linux": "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64le riscv64 s390x", "netbsd": "386 amd64 arm",
    "openbsd": "386 amd64 arm", "plan9": "386 amd64", "solaris": "amd64", "windows": "386 amd64 arm arm64",
}  # fmt: skip
ORDER = ("architecture", "os", "os.version", "os.features", "variant")


def run(context: Context, given: Given) -> int:
    """Change the list that is being made here."""
    store = Store(context)
    target, name = (reference(text) for text in given.rest)
    entry = store.entry(target, name)
    if entry is None:
        raise Failure(f"manifest for image {given.rest[1]} does not exist in {given.rest[0]}\n")
    platform = dict(entry["Descriptor"].get("platform") or {})
    fields = {"os": "os", "architecture": "arch", "variant": "variant", "os.version": "os-version"}
    platform |= {key: given.text(flag) for key, flag in fields.items() if given.text(flag)}
    features = list(platform.get("os.features") or ())
    features += [feature for feature in given.list("os-features") if feature not in features]
    platform["os.features"] = features
    if platform.get("architecture") not in KNOWN.get(str(platform.get("os")), "").split():
        combination = f"{given.text('os')}/{given.text('arch')}"
        raise Failure(f"manifest entry for image has unsupported os/arch combination: {combination}\n")
    entry["Descriptor"]["platform"] = {key: platform[key] for key in ORDER if platform.get(key)}
    store.put(target, name, entry)
    return 0
