"""`--storage-opt dm.*`: what the devicemapper driver can be told, with Docker's defaults."""

from dataclasses import dataclass, field

from dockwright.base.errors import InvalidParameter
from dockwright.images.snapshotters import Options
from dockwright.images.snapshotters.sizes import bytes_of

GIGA = 1 << 30


@dataclass
class Settings:
    """What was asked for.

    Attributes:
        base_size: bytes of the empty file system. loop_data, loop_metadata: of the files behind the pool.
        file_system: ext4, xfs or "" to choose. mkfs, mount: more arguments and options for it.
        pool: name of an existing pool. data, metadata: devices to make one on.
        least_free: share of the pool below which nothing new is made. discard: give blocks back to the files.
    """

    base_size: int = 10 * GIGA
    loop_data: int = 100 * GIGA
    loop_metadata: int = 2 * GIGA
    file_system: str = ""
    mkfs: list[str] = field(default_factory=list)
    mount: list[str] = field(default_factory=list)
    pool: str = ""
    data: str = ""
    metadata: str = ""
    least_free: float = 0.1
    discard: bool = True


_SIZES = {"dm.basesize": "base_size", "dm.loopdatasize": "loop_data", "dm.loopmetadatasize": "loop_metadata"}
_TEXTS = {"dm.thinpooldev": "pool", "dm.datadev": "data", "dm.metadatadev": "metadata"}


def settings(options: Options) -> Settings:
    """The options, checked.

    Raises:
        InvalidParameter: in Docker's words.
    """
    wanted = Settings()
    for name, value in options.items():
        _take(wanted, name, value)
    if bool(wanted.data) != bool(wanted.metadata):
        raise InvalidParameter("devmapper: dm.datadev and dm.metadatadev belong together")
    if wanted.pool and wanted.data:
        raise InvalidParameter("devmapper: dm.thinpooldev and dm.datadev exclude each other")
    return wanted


def _take(wanted: Settings, name: str, value: str) -> None:
    if name in _SIZES:
        setattr(wanted, _SIZES[name], bytes_of(value))
    elif name in _TEXTS:
        setattr(wanted, _TEXTS[name], value)
    elif name == "dm.fs":
        if value not in ("ext4", "xfs"):
            raise InvalidParameter(f"devmapper: Unsupported filesystem {value}")
        wanted.file_system = value
    elif name == "dm.mkfsarg":
        wanted.mkfs.append(value)
    elif name == "dm.mountopt":
        wanted.mount += [option for option in value.split(",") if option]
    elif name == "dm.min_free_space":
        wanted.least_free = _percent(value)
    elif name == "dm.blkdiscard":
        wanted.discard = _truth(name, value)
    else:
        raise InvalidParameter(f"devmapper: Unknown option {name}")


def _percent(value: str) -> float:
    number = value.removesuffix("%")
    if number == value or not number.isdecimal() or int(number) >= 100:
        raise InvalidParameter(f"devmapper: Invalid value {value} for option dm.min_free_space")
    return int(number) / 100


def _truth(name: str, value: str) -> bool:
    if value.lower() not in ("1", "t", "true", "0", "f", "false"):
        raise InvalidParameter(f'strconv.ParseBool: parsing "{value}": invalid syntax')
    return value.lower() in ("1", "t", "true")
