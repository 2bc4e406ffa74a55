"""criu's RPC messages as bytes: protobuf's wire format, with the fields of criu's rpc.proto that are used here.

Sources: protobuf.dev, "Encoding"; criu.org/RPC; what runc 1.1.5 was seen to send.
"""

from __future__ import annotations

from dockwright.base.protobuf import varint

TYPE_CHECKING = False
if TYPE_CHECKING:
    Value = bool | int | str | bytes
    Fields = list[tuple[int, Value]]

# criu_req_type
DUMP, RESTORE, PRE_DUMP, NOTIFY, FEATURE_CHECK, VERSION = 1, 2, 4, 6, 9, 10
NAMES = {0: "EMPTY", 1: "DUMP", 2: "RESTORE", 4: "PRE_DUMP", 6: "NOTIFY", 9: "FEATURE_CHECK", 10: "VERSION"}
# criu_opts
IMAGES, PID, LEAVE_RUNNING, EXT_UNIX_SK, TCP_ESTABLISHED, EVASIVE_DEVICES, SHELL_JOB, FILE_LOCKS = 1, 2, 3, 4, 5, 6, 7, 8
LOG_LEVEL, LOG_FILE, NOTIFY_SCRIPTS, ROOT, PARENT, TRACK_MEMORY, AUTO_DEDUP, WORK = 9, 10, 12, 13, 14, 15, 16, 17
EXT_MOUNT, MANAGE_CGROUPS, CGROUP_ROOT, SIBLING, INHERIT, CGROUPS_MODE, EXTERNAL, EMPTY_NAMESPACES = (
    23, 24, 25, 26, 27, 34, 37, 38,
)  # fmt: skip
FREEZER, ORPHAN_PTS_MASTER, CONFIG_FILE = 44, 50, 51
SOFT, FULL, STRICT = 3, 4, 5  # criu_cg_mode
_MASK = (1 << 64) - 1  # negative numbers go as 64 bits


def encode(fields: Fields) -> bytes:
    """A message of (field number, value): numbers as varints, texts and messages with their length."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(int(value) & _MASK)
        else:
            data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return bytes(out)


def pair(first: str, second: str | int) -> bytes:
    """A message of two fields: ext_mount_map, cgroup_root, inherit_fd."""
    return encode([(1, first), (2, second)])


def decode(data: bytes) -> dict[int, int | bytes]:
    """The fields of a message; of one that is repeated the last.

    Raises:
        ValueError: it is no message, or has fields of another form than numbers and bytes.
    """
    fields: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        tag, at = _read(data, at)
        if tag & 7 not in (0, 2):
            raise ValueError(f"wire type {tag & 7}")
        value, at = _read(data, at)
        if tag & 7 == 0:
            fields[tag >> 3] = value
            continue
        if at + value > len(data):
            raise ValueError("cut short")
        fields[tag >> 3] = data[at : at + value]
        at += value
    return fields


def number(fields: dict[int, int | bytes], at: int) -> int:
    """A field that is a number, 0 if it is not there; negative ones come as 64 bits."""
    value = fields.get(at, 0)
    if not isinstance(value, int):
        return 0
    return value - (1 << 64) if value >> 63 else value


def text(fields: dict[int, int | bytes], at: int) -> str:
    """A field that is a text, "" if it is not there."""
    value = fields.get(at, b"")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def message(fields: dict[int, int | bytes], at: int) -> dict[int, int | bytes]:
    """A field that is a message, {} if it is not there."""
    value = fields.get(at, b"")
    return decode(value) if isinstance(value, bytes) else {}


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
