"""`--mount type=bind,src=/a,dst=/b,...` as an entry of HostConfig.Mounts.  Texts are docker's."""

from __future__ import annotations

from dockwright.grammar.csv import fields
from dockwright.grammar.flags import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WITHOUT_VALUE = ("readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src", "idmap")
RECURSIVE = ("enabled", "disabled", "writable", "readonly")
PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")


class MountParser:
    """Reads one `--mount`."""

    def __init__(self) -> None:
        self.mount: dict[str, Any] = {"Type": "volume"}

    def parse(self, text: str) -> dict[str, Any]:
        """The mount.

        Raises:
            ValueError: in docker's words.
        """
        for field in fields(text):
            key, equals, value = field.partition("=")
            key = key.lower()
            if not equals:
                if key not in WITHOUT_VALUE:
                    raise ValueError(f"invalid field '{field}' must be a key=value pair")
                value = "true"
            self._take(key, value, field)
        return self._checked()

    def _take(self, key: str, value: str, field: str) -> None:
        mount = self.mount
        if key == "type":
            mount["Type"] = value.lower()
        elif key in ("source", "src"):
            mount["Source"] = _absolute(value) if value.startswith("." + "/") or value == "." else value
        elif key in ("target", "dst", "destination"):
            mount["Target"] = value
        elif key in ("readonly", "ro"):
            mount["ReadOnly"] = _boolean(key, value)
        elif key == "consistency":
            mount["Consistency"] = value.lower()
        elif not (self._bind(key, value) or self._volume(key, value) or self._other(key, value)):
            raise ValueError(f"unexpected key '{key}' in '{field}'")

    def _bind(self, key: str, value: str) -> bool:
        options = "BindOptions"
        if key == "bind-propagation":
            self._set(options, "Propagation", value.lower())
        elif key == "bind-nonrecursive":
            self._set(options, "NonRecursive", _boolean(key, value))
        elif key == "bind-create-src":
            self._set(options, "CreateMountpoint", _boolean(key, value))
        elif key == "idmap":
            self._set(options, "IDMap", idmap(value))
        elif key == "bind-recursive":
            self._recursive(value)
        else:
            return False
        return True

    def _recursive(self, value: str) -> None:
        names = {"disabled": "NonRecursive", "writable": "ReadOnlyNonRecursive", "readonly": "ReadOnlyForceRecursive"}
        if value not in RECURSIVE:
            shown = 'invalid value for bind-recursive: {}: must be "enabled", "disabled", "writable", or "readonly"'
            raise ValueError(shown.format(value))
        if value in names:
            self._set("BindOptions", names[value], True)

    def _volume(self, key: str, value: str) -> bool:
        options = "VolumeOptions"
        if key == "volume-nocopy":
            if value not in TRUE + FALSE:
                raise ValueError(f"invalid value for volume-nocopy: {value}")
            self._set(options, "NoCopy", value in TRUE)
        elif key == "volume-subpath":
            self._set(options, "Subpath", value)
        elif key == "volume-label":
            name, _, text = value.partition("=")
            self.mount.setdefault(options, {}).setdefault("Labels", {})[name] = text
        elif key == "volume-driver":
            self.mount.setdefault(options, {}).setdefault("DriverConfig", {})["Name"] = value
        elif key == "volume-opt":
            name, _, text = value.partition("=")
            driver = self.mount.setdefault(options, {}).setdefault("DriverConfig", {})
            driver.setdefault("Options", {})[name] = text
        else:
            return False
        return True

    def _other(self, key: str, value: str) -> bool:
        if key == "image-subpath":
            self._set("ImageOptions", "Subpath", value)
        elif key == "tmpfs-size":
            self._set("TmpfsOptions", "SizeBytes", _size(key, value))
        elif key == "tmpfs-mode":
            self._set("TmpfsOptions", "Mode", _octal(key, value))
        else:
            return False
        return True

    def _set(self, options: str, name: str, value: object) -> None:
        self.mount.setdefault(options, {})[name] = value

    def _checked(self) -> dict[str, Any]:
        mount = self.mount
        if not mount["Type"]:
            raise ValueError("type is required")
        if not mount.get("Target"):
            raise ValueError("target is required")
        for kind in ("bind", "volume", "image", "tmpfs"):
            if kind != mount["Type"] and f"{kind.title()}Options" in mount:
                raise ValueError(f"cannot mix '{kind}-*' options with mount type '{mount['Type']}'")
        self._check_recursive(mount)
        if "VolumeOptions" in mount:
            mount["VolumeOptions"].setdefault("DriverConfig", {})
        return mount

    def _check_recursive(self, mount: dict[str, Any]) -> None:
        options = mount.get("BindOptions", {})
        if options.get("ReadOnlyNonRecursive") and not mount.get("ReadOnly"):
            raise ValueError("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
        if options.get("ReadOnlyForceRecursive"):
            if not mount.get("ReadOnly"):
                raise ValueError("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction")
            if options.get("Propagation") != "rprivate":
                text = "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
                raise ValueError(text)


def parse_mount(text: str) -> dict[str, Any]:
    """One `--mount` as the API's Mount. Raises ValueError in docker's words."""
    return MountParser().parse(text)


def idmap(value: str) -> str:
    """The checked value of `idmap`; alone it is keep-id. Raises ValueError."""
    from dockwright.grammar import idmaps

    wanted = idmaps.KEEP if value in ("", "true") else value
    idmaps.parse(wanted)
    return wanted


def _boolean(key: str, value: str) -> bool:
    if value not in TRUE + FALSE:
        raise ValueError(f"invalid value for {key}: {value}")
    return value in TRUE


def _absolute(path: str) -> str:
    from posixpath import abspath

    return abspath(path)


def _size(key: str, value: str) -> int:
    from dockwright.grammar.units import ram_in_bytes

    try:
        return ram_in_bytes(value)
    except ValueError:
        raise ValueError(f"invalid value for {key}: {value}") from None


def _octal(key: str, value: str) -> int:
    try:
        return int(value, 8)
    except ValueError:
        raise ValueError(f"invalid value for {key}: {value}") from None
