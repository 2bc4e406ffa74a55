"""What is mounted into a container, as users write it: `-v`, Binds, Mounts and `--volumes-from`.

Rules and texts are Docker's (docs/rooms/volumes.md). A bad `Binds` entry has no class there (500), a bad `Mounts` entry is 400.
"""

import posixpath
from dataclasses import dataclass, field

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.grammar import idmaps

PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_WORDS = (("rw", "ro"), PROPAGATIONS, ("z", "Z"), ("nocopy",), ("consistent", "cached", "delegated"), ("idmap",))


@dataclass
class MountSpec:
    """One mount as asked for.

    Attributes:
        type: bind, volume or tmpfs. source: a host path, a volume's name or "". target: where, in the container.
        mode: the words after the second colon of `-v`, as given.
        blocks: which option blocks of the API were given: "BindOptions", "VolumeOptions", "TmpfsOptions".
        create_source: make a bind's missing source. driver: of the volume, "" for the default one.
        idmap: of a bind, see `idmaps`; the word `idmap` of `-v` is keep-id.
        tmpfs: options of a tmpfs beyond the read-only bit. from_bind: given as `-v`.
    """

    type: str
    source: str
    target: str
    read_only: bool = False
    mode: str = ""
    propagation: str = ""
    non_recursive: bool = False
    create_source: bool = False
    ro_non_recursive: bool = False
    ro_force_recursive: bool = False
    no_copy: bool = False
    subpath: str = ""
    idmap: str = ""
    driver: str = ""
    driver_options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] | None = None
    tmpfs: list[str] = field(default_factory=list)
    blocks: set[str] = field(default_factory=set)
    from_bind: bool = False

    @property
    def destination(self) -> str:
        """The target, cleaned as Go's path.Clean does."""
        return clean(self.target)


def clean(path: str) -> str:
    """`path` without dots, doubled and trailing slashes."""
    normal = posixpath.normpath(path)
    return normal[1:] if normal.startswith("//") else normal


def valid_mode(mode: str) -> bool:
    """Whether `mode` holds only known words, at most one of each family."""
    if not mode:
        return True
    given = mode.split(",")
    known = sum(len([word for word in given if word in family]) for family in _WORDS)
    return known == len(given) and all(len([w for w in given if w in family]) <= 1 for family in _WORDS)


def parse_bind(raw: str, driver: str = "") -> MountSpec:
    """One `-v` or Binds entry: `target`, `source:target` or `source:target:mode`.

    Args:
        driver: HostConfig.VolumeDriver, for the volumes among them.

    Raises:
        Internal: in Docker's words.
    """
    refusal = f"invalid volume specification: '{raw}'"
    parts = raw.split(":")
    if not parts[0] or len(parts) > 3 or (len(parts) == 2 and valid_mode(parts[1])):
        raise Internal(refusal)
    source, target, mode = ("", parts[0], "") if len(parts) == 1 else (parts[0], parts[1], "".join(parts[2:]))
    if not valid_mode(mode):
        raise Internal(f"invalid mode: {mode}")
    spec = _bind(source, target, mode, driver)
    try:
        check(spec)
    except InvalidParameter as error:
        raise Internal(f"{refusal}: {error.message}") from None
    return spec


def _bind(source: str, target: str, mode: str, driver: str) -> MountSpec:
    words = mode.split(",")
    spec = MountSpec("bind" if source.startswith("/") else "volume", source, target, "ro" in words, mode)
    spec.from_bind = spec.create_source = True
    spec.propagation = next((word for word in words if word in PROPAGATIONS), "")
    spec.no_copy = "nocopy" in words
    spec.idmap = idmaps.KEEP if "idmap" in words else ""
    if spec.propagation or spec.idmap:
        spec.blocks.add("BindOptions")
    if spec.no_copy or (driver and spec.type == "volume"):
        spec.blocks.add("VolumeOptions")
    if spec.type == "volume":
        spec.driver = driver
    return spec


def check(spec: MountSpec) -> None:
    """What does not depend on the host.

    Raises:
        InvalidParameter: in Docker's words.
    """
    rules = {"bind": _bind_fault, "volume": _volume_fault, "tmpfs": _tmpfs_fault, "image": _image_fault}
    fault = _target_fault(spec)
    if not fault:
        fault = rules[spec.type](spec) if spec.type in rules else "mount type unknown"
    if fault:
        raise fault_of(spec, fault)


def fault_of(spec: MountSpec, fault: str) -> InvalidParameter:
    """Docker's text around what is wrong with a mount."""
    return InvalidParameter(f'invalid mount config for type "{spec.type}": {fault}')


def _target_fault(spec: MountSpec) -> str:
    if not spec.target:
        return "field Target must not be empty"
    if clean(spec.target.replace("\\", "/")) == "/":
        return "invalid specification: destination can't be '/'"
    return "" if spec.target.startswith("/") else f"invalid mount path: '{spec.target}' mount path must be absolute"


def _extra(spec: MountSpec, *blocks: str) -> str:
    return next((f"field {block} must not be specified" for block in blocks if block in spec.blocks), "")


def _bind_fault(spec: MountSpec) -> str:
    if not spec.source:
        return "field Source must not be empty"
    if spec.propagation and spec.propagation not in PROPAGATIONS:
        return f"invalid propagation mode: {spec.propagation}"
    if fault := _extra(spec, "VolumeOptions", "TmpfsOptions"):
        return fault
    if not spec.source.startswith("/"):
        return f"invalid mount path: '{spec.source}' mount path must be absolute"
    try:
        idmaps.parse(spec.idmap or idmaps.KEEP)
    except ValueError as error:
        return str(error)
    return _read_only_fault(spec)


def _read_only_fault(spec: MountSpec) -> str:
    """ReadOnlyForceRecursive wants what it can keep: a read-only, recursive, private bind."""
    if not spec.ro_force_recursive:
        return ""
    if not spec.read_only:
        return "option 'ReadOnlyForceRecursive' requires 'ReadOnly' to be specified in conjunction"
    if spec.ro_non_recursive:
        return "mount options conflict: ReadOnlyNonRecursive and ReadOnlyForceRecursive"
    if spec.propagation not in ("", "rprivate"):
        return "option 'ReadOnlyForceRecursive' requires 'Propagation' to be 'rprivate'"
    return ""


def _volume_fault(spec: MountSpec) -> str:
    if fault := _extra(spec, "BindOptions", "TmpfsOptions"):
        return fault
    if spec.subpath and not spec.source:
        return "must not set Subpath when using anonymous volumes"
    if spec.subpath and not local_path(spec.subpath):
        return "subpath must be a relative path within the volume"
    if spec.read_only and not spec.source:
        return "must not set ReadOnly mode when using anonymous volumes"
    return ""


def _image_fault(spec: MountSpec) -> str:
    if not spec.source:
        return "field Source must not be empty"
    if fault := _extra(spec, "BindOptions", "VolumeOptions", "TmpfsOptions"):
        return fault
    if spec.subpath and not local_path(spec.subpath):
        return "subpath must be a relative path within the image"
    return ""


def _tmpfs_fault(spec: MountSpec) -> str:
    if fault := _extra(spec, "BindOptions", "VolumeOptions"):
        return fault
    return "field Source must not be specified" if spec.source else ""


def local_path(path: str) -> bool:
    """Whether a relative path stays below where it starts, by its text."""
    return not path.startswith("/") and clean(path) != ".." and not clean(path).startswith("../")


def parse_volumes_from(raw: str) -> tuple[str, str]:
    """`container[:mode]` as (container, mode).

    Raises:
        InvalidParameter: in Docker's words.
    """
    if not raw:
        raise InvalidParameter("volumes-from specification cannot be an empty string")
    container, colon, mode = raw.partition(":")
    words = mode.split(",")
    foreign = any(word in PROPAGATIONS or word == "nocopy" for word in words)
    if colon and (not valid_mode(mode) or foreign):
        raise InvalidParameter(f"invalid mode: {mode}")
    return container, mode or "rw"
