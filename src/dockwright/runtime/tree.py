"""A root file system as data, and the detached mount it becomes: what storage drivers answer, and whoever needs it mounts.

    {"type", "source", "options"}  of mount(2): a bind, an overlay whose relative names start from a base directory, or any
                                   file system of a block device or of a file ("loop" among its options)
    "lowers": [mounts]             the layers of an overlay that are file systems themselves, top first
    "remounts": [options]          what is told to an aufs afterwards, one by one: more branches than a page has room for

Imported by zygote and shim: nothing beyond ctypes and os.
"""

from __future__ import annotations

import errno
import os

from dockwright.kernel import loop
from dockwright.kernel import mount as m
from dockwright.kernel.process import set_fs_ids
from dockwright.runtime.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.runtime.idmap import Owner

    Spec = dict[str, Any]

LAYER = "lowerdir+"  # Documentation/filesystems/overlayfs.rst, "Multiple lower layers": Linux 6.7
_CLONE = m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC


def plain(source: Spec) -> bool:
    """Whether mount(2) is all it takes: an overlay of directories in a page of options, or an aufs."""
    if source["type"] == "aufs":
        return True
    return source["type"] == "overlay" and not source.get("lowers") and not any(
        option.startswith(LAYER) for option in source["options"]
    )  # fmt: skip


def mount_plain(source: Spec, point: str) -> None:
    """Mount what is `plain` at `point`; its relative names start from the working directory.

    mount(2) takes the whole option string in one page; fsconfig(2) ends at 256 bytes before Linux 6.7.
    """
    options = source["options"]
    data = ",".join(option for option in options if option != "ro")
    m.mount(source["type"], point, source["type"], m.MS_RDONLY if "ro" in options else 0, data)
    for option in source.get("remounts") or ():
        m.mount(source["type"], point, source["type"], m.MS_REMOUNT, option)


def mounted(source: Spec, base: str, owner: Owner | None = None) -> int:
    """A descriptor of the detached mount that `source` describes.

    Args:
        owner: whose maps it gets, layer by layer: overlayfs as a whole cannot be mapped.
        base: the directory that relative names of an overlay start from: for them the working directory changes meanwhile.

    Raises:
        OSError: with what was refused as its file name.
    """
    if source["type"] != "overlay":
        return _given(_bind(source) if source["type"] == "bind" else _file_system(source), owner)
    layers: list[int] = []
    try:
        options = source["options"]
        if owner:
            upper, options, lowers = _apart(options, base)
            layers += [mounted(lower, base, owner) for lower in [*lowers, *(source.get("lowers") or ())]]
            if not upper:
                return _from(base, options, layers)
            layers.append(mounted(upper, base, owner))
            return _mapped(base, options, layers, owner)
        layers += [mounted(lower, base) for lower in source.get("lowers") or ()]
        return _from(base, options, layers)
    finally:
        for layer in layers:
            os.close(layer)


def _given(tree: int, owner: Owner | None) -> int:
    if owner:
        try:
            owner.give(tree)
        except OSError:
            os.close(tree)
            raise
    return tree


def _apart(options: list[str], base: str) -> tuple[Spec | None, list[str], list[Spec]]:
    """An overlay's folder of upper and work directory, its other options, and its lower directories: each becomes a mount."""
    named = [(key, value) for key, equals, value in (option.partition("=") for option in options) if equals]
    lowers = [path for key, value in named if key in ("lowerdir", LAYER) for path in _listed(key, value)]
    upper = next((os.path.dirname(value) for key, value in named if key == "upperdir"), "")
    rest = [option for option in options if option.partition("=")[0] not in ("lowerdir", LAYER, "upperdir", "workdir")]
    folder = _whole(upper, base, "rw") if upper else None
    return folder, rest, [_whole(path, base, "ro") for path in lowers]


def _listed(key: str, value: str) -> list[str]:
    return value.split(":") if key == "lowerdir" else [value]


def _whole(path: str, base: str, mode: str) -> Spec:
    return {"type": "bind", "source": os.path.join(base, path), "options": [mode]}


def _mapped(base: str, options: list[str], layers: list[int], owner: Owner) -> int:
    """The overlay whose last layer is the mapped folder of upper and work directory. Whoever mounts it makes its files later on,
    so that must be somebody the maps know."""
    upper = layers[-1]
    own = [f"upperdir=/proc/self/fd/{upper}/diff", f"workdir=/proc/self/fd/{upper}/work"]
    set_fs_ids(owner.uid, owner.gid)
    try:
        return _from(base, [*options, *own], layers[:-1])
    finally:
        set_fs_ids(0, 0)


def mount_at(source: Spec, base: str, point: str) -> None:
    """Mount what `source` describes at directory `point` of the caller's mount namespace; its working directory is `base` then.

    Raises:
        OSError: with what was refused as its file name.
    """
    os.chdir(base)  # an overlay's lower names are relative, to fit mount(2)'s one page
    if plain(source):
        m.mount("overlay", point, "overlay", 0, ",".join(source["options"]))
        return
    made, target = mounted(source, base), os.open(point, m.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        m.move_mount(made, target)
    finally:
        os.close(made)
        os.close(target)


def _from(base: str, options: list[str], layers: list[int]) -> int:
    """The overlay, made from directory `base`."""
    here = os.open(".", m.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(base)
        return _overlay(options, layers)
    finally:
        os.fchdir(here)
        os.close(here)


def _bind(source: Spec) -> int:
    tree = m.open_tree(m.AT_FDCWD, source["source"], _CLONE | m.AT_RECURSIVE)
    if "ro" in source["options"]:
        m.mount_setattr(tree, m.MOUNT_ATTR_RDONLY, recursive=True)
    return tree


def _file_system(source: Spec) -> int:
    """A file system on a block device; a file that the file system does not take itself goes through a loop device."""
    options = Options([option for option in source["options"] if option != "loop"])
    data = [*options.data, *(["ro"] if options.set & m.MOUNT_ATTR_RDONLY else [])]
    if "loop" not in source["options"]:
        return m.new_filesystem(source["type"], source["source"], data, options.set)
    try:
        return m.new_filesystem(source["type"], source["source"], data, options.set)
    except OSError as error:
        if error.errno not in (errno.ENOTBLK, errno.EINVAL):
            raise
    device = loop.attach(source["source"])
    try:
        return m.new_filesystem(source["type"], device.path, data, options.set)
    finally:
        device.close()  # it goes with the last mount of it


def _overlay(options: list[str], layers: list[int]) -> int:
    """Layers by fsconfig(2), each a string of its own: neither one page nor `:` and `,` in a name limit them.

    Raises:
        OSError: EINVAL before Linux 6.7, which knows no `lowerdir+`.
    """
    context = m.fsopen("overlay")
    try:
        m.fsconfig_string(context, "source", "overlay")
        own = [option for option in options if not option.startswith(LAYER)]
        for option in own:
            key, equals, value = option.partition("=")
            if not equals:
                m.fsconfig_flag(context, key)
            else:
                m.fsconfig_string(context, key, value)
        for layer in layers:
            m.fsconfig_string(context, LAYER, f"/proc/self/fd/{layer}")
        for option in options:
            if option.startswith(LAYER):
                m.fsconfig_string(context, LAYER, option.partition("=")[2])
        m.fsconfig_create(context)
        return m.fsmount(context, m.MOUNT_ATTR_RDONLY if "ro" in own else 0)
    finally:
        os.close(context)
