"""What stands behind an image's names: the manifests of its index, or its own, as `GET /images/json?manifests=1` tells."""

import sqlite3
from collections.abc import Collection
from typing import Any

import msgspec

from dockwright.base.errors import EngineError
from dockwright.images import blobrows, oci, store
from dockwright.images.content import Content
from dockwright.images.oci import Descriptor

IMAGE, ATTESTATION, UNKNOWN = "image", "attestation", "unknown"
_FOR = "vnd.docker.reference.digest"


class Variants:
    """Reads the documents that are kept beside images."""

    def __init__(self, connection: sqlite3.Connection, content: Content) -> None:
        self._connection, self._content = connection, content

    def of(self, ident: str, size: int, containers: Collection[str]) -> list[dict[str, Any]]:
        """A summary of each manifest of the image `ident`; none for one that came without.

        Args:
            size: of the unpacked image. containers: ids of those that use it.
        """
        found: dict[str, Descriptor] = {}
        for top in store.tops(self._connection, ident):
            for descriptor in self._described(top):
                found.setdefault(descriptor.digest, descriptor)
        return [self._summary(descriptor, ident, size, containers) for descriptor in found.values()]

    def _read(self, digest: str) -> bytes | None:
        if not blobrows.has_blob(self._connection, digest):
            return None
        return self._content.blob(digest).read(oci.LARGEST_DOCUMENT)

    def _described(self, top: str) -> list[Descriptor]:
        """The manifests of an index, or the manifest itself."""
        data = self._read(top)
        if data is None:
            return []
        if oci.is_index(Descriptor(), data):
            return oci.index(data).manifests
        return [Descriptor(oci.manifest(data).media_type or oci.MANIFEST_TYPE, top, len(data))]

    def _summary(self, descriptor: Descriptor, ident: str, size: int, containers: Collection[str]) -> dict[str, Any]:
        manifest = self._manifest(descriptor.digest)
        parts = [descriptor, *([manifest.config, *manifest.layers] if manifest else [])]
        here = [part.size for part in parts if blobrows.has_blob(self._connection, part.digest)]
        own = manifest is not None and manifest.config.digest == ident
        unpacked = size if own else 0
        summary = {
            "ID": descriptor.digest, "Descriptor": msgspec.to_builtins(descriptor, builtin_types=()),
            "Available": own or (manifest is not None and len(here) == len(parts)),
            "Size": {"Content": sum(here), "Total": sum(here) + unpacked}, "Kind": _kind(descriptor, manifest),
        }  # fmt: skip
        if summary["Kind"] == ATTESTATION:
            summary["AttestationData"] = {"For": (descriptor.annotations or {}).get(_FOR, "")}
        elif summary["Kind"] == IMAGE:
            users = sorted(containers) if own else []
            platform = self._platform(descriptor, manifest)
            summary["ImageData"] = {"Platform": platform, "Containers": users, "Size": {"Unpacked": unpacked}}
        summary["Descriptor"] = _without_empty(summary["Descriptor"])
        return summary

    def _manifest(self, digest: str) -> oci.Manifest | None:
        data = self._read(digest)
        try:
            return oci.manifest(data) if data is not None else None
        except EngineError:
            return None  # an artifact of another kind, kept for its index

    def _platform(self, descriptor: Descriptor, manifest: oci.Manifest | None) -> dict[str, str]:
        """As the index says, else as the config does."""
        if descriptor.platform is not None:
            named = msgspec.to_builtins(descriptor.platform)
        else:
            data = self._read(manifest.config.digest) if manifest else None
            config = oci.config(data) if data else oci.Config()
            named = {name: getattr(config, name) for name in ("architecture", "os", "variant")}
        return {name: value for name, value in named.items() if value}


def _kind(descriptor: Descriptor, manifest: oci.Manifest | None) -> str:
    if oci.is_attestation(descriptor):
        return ATTESTATION
    return IMAGE if manifest or descriptor.platform else UNKNOWN


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    """Go leaves out what is empty (`omitempty`), in what is below as well."""
    kept = {name: _without_empty(value) if isinstance(value, dict) else value for name, value in document.items()}
    return {name: value for name, value in kept.items() if value or name == "size"}
