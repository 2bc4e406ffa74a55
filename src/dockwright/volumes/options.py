"""Options of the local driver: type, o and device, as mount(8) takes them; the volume is mounted while it is used."""

import contextlib
import os
import re
import socket
from collections.abc import Iterator

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.host.mountinfo import mounts
from dockwright.kernel import loop
from dockwright.kernel import mount as m

_NAMES = ("type", "o", "device", "size")
_NEEDS = {"device": ("type",), "type": ("device",), "o": ("device", "type")}
_FLAGS = {
    "ro": m.MS_RDONLY, "nosuid": m.MS_NOSUID, "nodev": m.MS_NODEV, "noexec": m.MS_NOEXEC, "sync": m.MS_SYNCHRONOUS,
    "dirsync": m.MS_DIRSYNC, "mand": m.MS_MANDLOCK, "noatime": m.MS_NOATIME, "nodiratime": m.MS_NODIRATIME,
    "relatime": m.MS_RELATIME, "strictatime": m.MS_STRICTATIME, "bind": m.MS_BIND, "rbind": m.MS_BIND | m.MS_REC,
}  # fmt: skip
_CLEAR = {
    "rw": m.MS_RDONLY, "suid": m.MS_NOSUID, "dev": m.MS_NODEV, "exec": m.MS_NOEXEC, "async": m.MS_SYNCHRONOUS,
    "nomand": m.MS_MANDLOCK, "atime": m.MS_NOATIME, "diratime": m.MS_NODIRATIME, "norelatime": m.MS_RELATIME,
    "nostrictatime": m.MS_STRICTATIME, "defaults": 0,
}  # fmt: skip
_SIZE = re.compile(r"[0-9]+(\.[0-9]+)?( ?[kKmMgGtTpP][iI]?)?[bB]?")
_ADDRESSED = ("nfs", "nfs4", "cifs")
_FILELESS = ("none", "bind", "tmpfs", "overlay", *_ADDRESSED)


def check(options: dict[str, str]) -> None:
    """Whether the local driver can do this.

    Raises:
        InvalidParameter, Internal: in Docker's words.
    """
    for name in options:
        if name not in _NAMES:
            raise InvalidParameter(f'invalid option: "{name}"')
    if "size" in options:
        if not _SIZE.fullmatch(options["size"]):
            raise Internal(f"invalid size: '{options['size']}'")
        raise InvalidParameter("quota size requested but no quota support")
    for name in options:
        for needed in _NEEDS.get(name, ()):
            if not options.get(needed):
                raise InvalidParameter(f'missing required option: "{needed}"')


def is_mounted(path: str) -> bool:
    """Whether `path` is where something is mounted."""
    return any(mount.point == path for mount in mounts())


def mount(options: dict[str, str], path: str) -> None:
    """Mount a volume's device at `path`. May wait for a server: in a worker thread.

    Raises:
        Internal: in Docker's words.
    """
    flags, data = parsed(options.get("o", ""))
    device, kind = options["device"], options["type"]
    if kind in _ADDRESSED:
        data = [_resolved(option) for option in data]
    try:
        with _block_device(device, kind, data, bool(flags & m.MS_RDONLY)) as source:
            m.mount(source, path, kind, flags, ",".join(option for option in data if option != "loop"))
    except OSError as error:
        what = f"mount {device}:{path}, flags: 0x{flags:x}" + (f", data: {','.join(data)}" if data else "")
        text = f"failed to mount local volume: {what}: {os.strerror(error.errno or 0).lower()}"
        raise Internal(f"error while mounting volume '{path}': {text}") from None


@contextlib.contextmanager
def _block_device(device: str, kind: str, data: list[str], read_only: bool) -> Iterator[str]:
    """The device, by a loop device if it is a file that holds a file system; it goes with its last mount.

    Raises:
        OSError: no such file, no loop device.
    """
    if "loop" not in data and (kind in _FILELESS or not os.path.isfile(device)):
        yield device
        return
    attached = loop.attach(device, read_only)
    try:
        yield attached.path
    finally:
        attached.close()


def unmount(path: str) -> None:
    """Undo `mount`; containers that still see the volume keep it."""
    if is_mounted(path):
        m.umount2(path, m.MNT_DETACH)


def parsed(text: str) -> tuple[int, list[str]]:
    """`o` as mount(2)'s flags and what is for the file system."""
    flags, data = 0, []
    for option in filter(None, text.split(",")):
        if option in _FLAGS:
            flags |= _FLAGS[option]
        elif option in _CLEAR:
            flags &= ~_CLEAR[option]
        else:
            data.append(option)
    return flags, data


def _resolved(option: str) -> str:
    """`addr=` with a host's name as its address: the kernel knows no names.

    Raises:
        Internal: no such host.
    """
    key, _, host = option.partition("=")
    if key != "addr":
        return option
    try:
        return f"addr={socket.getaddrinfo(host, None)[0][4][0]}"
    except OSError as error:
        raise Internal(f"error resolving passed in network volume address: lookup {host}: {error.strerror}") from None
