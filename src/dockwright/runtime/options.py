"""Mount options as users write them, turned into flags, attributes, propagation and file-system data (mount(8))."""

from __future__ import annotations

from dockwright.kernel import mount as m

# option: (attributes to set, attributes to clear) of mount_setattr(2)
ATTRIBUTES = {
    "ro": (m.MOUNT_ATTR_RDONLY, 0), "rw": (0, m.MOUNT_ATTR_RDONLY),
    "nosuid": (m.MOUNT_ATTR_NOSUID, 0), "suid": (0, m.MOUNT_ATTR_NOSUID),
    "nodev": (m.MOUNT_ATTR_NODEV, 0), "dev": (0, m.MOUNT_ATTR_NODEV),
    "noexec": (m.MOUNT_ATTR_NOEXEC, 0), "exec": (0, m.MOUNT_ATTR_NOEXEC),
    "noatime": (m.MOUNT_ATTR_NOATIME, m.MOUNT_ATTR__ATIME), "atime": (0, m.MOUNT_ATTR__ATIME),
    "relatime": (0, m.MOUNT_ATTR__ATIME), "norelatime": (0, m.MOUNT_ATTR__ATIME),
    "strictatime": (m.MOUNT_ATTR_STRICTATIME, m.MOUNT_ATTR__ATIME), "nostrictatime": (0, m.MOUNT_ATTR__ATIME),
    "nodiratime": (m.MOUNT_ATTR_NODIRATIME, 0), "diratime": (0, m.MOUNT_ATTR_NODIRATIME),
    "nosymfollow": (0x200000, 0), "symfollow": (0, 0x200000),
}  # fmt: skip
PROPAGATION = {
    "shared": (m.MS_SHARED, False), "rshared": (m.MS_SHARED, True),
    "slave": (m.MS_SLAVE, False), "rslave": (m.MS_SLAVE, True),
    "private": (m.MS_PRIVATE, False), "rprivate": (m.MS_PRIVATE, True),
    "unbindable": (m.MS_UNBINDABLE, False), "runbindable": (m.MS_UNBINDABLE, True),
}  # fmt: skip
SUPERBLOCK = ("sync", "async", "dirsync", "mand", "nomand", "lazytime", "nolazytime", "iversion", "noiversion")
IGNORED = ("defaults", "remount", "nofail", "_netdev")


class Options:
    """One mount's options.

    Attributes:
        bind: False, or True for "bind" and "rbind"; recursive: "rbind".
        set, clear: attributes of this mount; set_all, clear_all: those of the whole tree ("rro" and its kin).
        propagation: (MS_* flag, recursive) or None.
        idmap: "idmap" or "ridmap": owners are seen through the maps of the entry, or of the container's user namespace.
        copy_up: "tmpcopyup": fill a tmpfs with what the image has there.
        data: what is for the file system itself, in order.
    """

    def __init__(self, options: list[str]) -> None:
        self.bind = self.recursive = self.copy_up = self.idmap = False
        self.set = self.clear = self.set_all = self.clear_all = 0
        self.propagation: tuple[int, bool] | None = None
        self.data: list[str] = []
        for option in options:
            self._take(option)

    def _take(self, option: str) -> None:
        if option in ("bind", "rbind"):
            self.bind, self.recursive = True, option == "rbind"
        elif option in ATTRIBUTES:
            set_, clear = ATTRIBUTES[option]
            self.set, self.clear = self.set & ~clear | set_, self.clear & ~set_ | clear
        elif option in PROPAGATION:
            self.propagation = PROPAGATION[option]
        elif option[:1] == "r" and option[1:] in ATTRIBUTES:
            set_, clear = ATTRIBUTES[option[1:]]
            self.set_all, self.clear_all = self.set_all | set_, self.clear_all | clear
        elif option == "tmpcopyup":
            self.copy_up = True
        elif option in ("idmap", "ridmap"):
            self.idmap = True
        elif option not in IGNORED:
            self.data.append(option)
