"""One mount of a container, as it is kept with the container and shown by inspect."""

from dataclasses import dataclass, field
from typing import Any

from dockwright.spec.mounts import tmpfs


@dataclass
class MountPoint:
    """A mount that was asked for.

    Attributes:
        type: bind, volume, image or tmpfs. destination: cleaned, inside the container.
        source: directory or file on the host; of a volume its mountpoint. name, driver: of the volume.
        mode: as in inspect. propagation: "" for volumes and tmpfs.
        anonymous: given without a source: goes with the container.
        copy: an empty volume is filled with what the image has at the destination.
        implied: nobody asked for this propagation: a source that does not propagate is no error.
        create_source: a missing source is made at start. subpath: of the volume.
        tmpfs: its options. idmap: whose a bind's files are inside, see `grammar.idmaps`.
        image, chain: id and layers of the image that is mounted.
    """

    type: str
    destination: str
    source: str = ""
    name: str = ""
    mode: str = ""
    writable: bool = True
    propagation: str = ""
    anonymous: bool = False
    copy: bool = False
    recursive: bool = True
    ro_recursive: bool = True
    implied: bool = False
    create_source: bool = False
    subpath: str = ""
    tmpfs: list[str] = field(default_factory=list)
    idmap: str = ""
    driver: str = "local"
    image: str = ""
    chain: str = ""

    def document(self) -> dict[str, Any]:
        """An entry of inspect's Mounts."""
        shown: dict[str, Any] = {"Type": self.type}
        if self.name:
            shown["Name"] = self.name
        shown |= {"Source": self.source, "Destination": self.destination}
        if self.type == "volume":
            shown["Driver"] = self.driver
        return {**shown, "Mode": self.mode, "RW": self.writable, "Propagation": self.propagation}

    def oci(self) -> dict[str, Any]:
        """The mount in the runtime's terms (OCI runtime spec, config.md, Mounts)."""
        if self.type == "tmpfs":
            return tmpfs(self.destination, ",".join([*self.tmpfs, *([] if self.writable else ["ro"])]))
        entry: dict[str, Any] = {"destination": self.destination, "type": "bind", "source": self.source}
        entry["options"] = ["rbind" if self.recursive else "bind", self.propagation or "rprivate", self._access()]
        if self.subpath:
            entry["subpath"] = self.subpath  # ours: resolved by the shim inside `source`
        return entry

    def _access(self) -> str:
        if self.writable:
            return "rw"
        return "rro" if self.type == "bind" and self.recursive and self.ro_recursive else "ro"
