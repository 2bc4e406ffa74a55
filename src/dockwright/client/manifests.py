"""Manifests at registries, asked for by the command line itself: no daemon is needed.

What is known of one image's manifest is an `Entry`, with the keys of docker's own files below ~/.docker/manifests.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from dockwright.base.errors import EngineError
from dockwright.client.errors import ConnectionFailed
from dockwright.grammar.reference import Reference
from dockwright.images import oci
from dockwright.images.manifests import Document, described, digest_of, document_at, is_index, manifest
from dockwright.images.registry.client import Caller, Registries
from dockwright.images.registry.credentials import Credentials
from dockwright.images.registry.endpoints import PULL, PUSH
from dockwright.images.registry.failures import RegistryError
from dockwright.images.registry.repository import Repository
from dockwright.images.registry.settings import RegistrySettings
from dockwright.images.registry.transport import limited

T = TypeVar("T")
Entry = dict[str, Any]
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_PLATFORM = ("architecture", "os", "os.version", "os.features", "variant")


class NoSuchManifest(Exception):
    """A registry does not have it, or cannot be asked."""


class Manifests:
    """Manifests at any registry.

    Args:
        insecure: whether registries may do without TLS or a verified certificate.
        credentials: for a registry, as the Engine API writes them; {} for none.
    """

    def __init__(self, insecure: bool, credentials: Callable[[str], dict[str, str]]) -> None:
        self._insecure, self._credentials = insecure, credentials

    def fetch(self, reference: Reference) -> tuple[bytes, list[Entry], bool]:
        """What a name leads to, the images behind it, and whether it is a list.

        Raises:
            NoSuchManifest: nothing that could be found out.
        """
        try:
            return self._run(reference, partial(_fetched, reference=reference), PULL)
        except (RegistryError, EngineError, ConnectionFailed) as error:
            raise NoSuchManifest(str(error)) from error

    def push(self, target: Reference, entries: Sequence[Entry], told: Callable[[str], None]) -> str:
        """Send a list of manifests with all they need; its digest.

        Args:
            told: takes a line for each manifest.

        Raises:
            ConnectionFailed: the registry did not take it.
        """
        try:
            return self._run(target, partial(_pushed, target=target, entries=entries, told=told), PUSH)
        except (RegistryError, EngineError) as error:
            raise ConnectionFailed(str(getattr(error, "message", error))) from error

    def _run(self, reference: Reference, work: Callable[[Repository], Awaitable[T]], purpose: str) -> T:
        return asyncio.run(self._asked(reference, work, purpose))

    async def _asked(self, reference: Reference, work: Callable[[Repository], Awaitable[T]], purpose: str) -> T:
        insecure = (reference.domain,) if self._insecure else ()
        registries = Registries(RegistrySettings(insecure=insecure, local_insecure=False))
        given = self._credentials(reference.domain)
        credentials = Credentials(
            given.get("username", ""), given.get("password", ""), given.get("identitytoken", ""),
            given.get("registrytoken", ""), given.get("serveraddress", ""),
        )  # fmt: skip
        try:
            return await registries.at_each(reference.domain, reference.path, Caller(credentials), work, purpose)
        finally:
            await registries.close()


async def _fetched(repository: Repository, reference: Reference) -> tuple[bytes, list[Entry], bool]:
    top = await document_at(repository, reference.digest or reference.tag)
    if not is_index(top):
        return top.data, [await _entry(repository, reference.familiar, top, None, reference)], False
    entries = []
    for descriptor in oci.index(top.data).manifests:
        document = await described(repository, descriptor)
        name = f"{reference.familiar}@{descriptor.digest}"
        entries.append(await _entry(repository, name, document, _listed(top.data, descriptor.digest), reference))
    return top.data, entries, True


def _listed(index: bytes, digest: str) -> dict[str, Any]:
    """The platform an index gives a manifest."""
    found = (entry for entry in json.loads(index)["manifests"] if entry["digest"] == digest)
    return dict(next(found).get("platform") or {})


async def _entry(
    repository: Repository, name: str, document: Document, platform: dict[str, Any] | None, reference: Reference
) -> Entry:
    parsed = manifest(document, reference)
    if platform is None:
        async with repository.blob(parsed.config.digest) as response:
            platform = dict(json.loads(await limited(response, min(parsed.config.size, oci.LARGEST_DOCUMENT))))
    media_type = parsed.media_type or document.media_type or oci.MANIFEST_TYPE
    descriptor = {
        "mediaType": media_type, "digest": document.digest, "size": len(document.data),
        "platform": {key: platform[key] for key in _PLATFORM if platform.get(key)},
    }  # fmt: skip
    kind = "OCIManifest" if media_type.startswith(oci.OCI) else "SchemaV2Manifest"
    raw = base64.b64encode(document.data).decode()
    return {"Ref": name, "Descriptor": descriptor, "Raw": raw, kind: json.loads(document.data)}


def listed(entries: Sequence[Entry]) -> tuple[bytes, str]:
    """A list of manifests, and its type: an OCI index if all of them are OCI's."""
    descriptors = [entry["Descriptor"] for entry in entries]
    own = all(descriptor["mediaType"].startswith(oci.OCI) for descriptor in descriptors)
    media_type = oci.INDEX_TYPE if own else DOCKER_LIST
    ordered = [{key: each[key] for key in ("mediaType", "size", "digest", "platform")} for each in descriptors]
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": ordered}
    return json.dumps(document, indent=3, ensure_ascii=False).encode(), media_type


async def _pushed(
    repository: Repository, target: Reference, entries: Sequence[Entry], told: Callable[[str], None]
) -> str:
    await repository.greet()
    for entry in entries:
        await _sent(repository, target, entry)
        told(f"Pushed ref {target.name}@{entry['Descriptor']['digest']} with digest: {entry['Descriptor']['digest']}")
    data, media_type = listed(entries)
    digest = digest_of(data)
    await repository.put_manifest(target.tag, data, media_type, digest)
    return digest


async def _sent(repository: Repository, target: Reference, entry: Entry) -> None:
    """One manifest; its blobs are taken over from the repository it is in."""
    from dockwright.grammar.reference import parse

    source, data = parse(entry["Ref"]), base64.b64decode(entry["Raw"])
    if source.domain != target.domain:
        text = "cannot use source images from a different registry than the target image"
        raise RegistryError(f"{text}: {source.domain} != {target.domain}")
    parsed = oci.manifest(data)
    for blob in (parsed.config, *parsed.layers) if source.path != target.path else ():
        if not await repository.has_blob(blob.digest) and await repository.begin(blob.digest, source.path):
            raise RegistryError(f"{source.path} does not give {blob.digest} away")
    descriptor = entry["Descriptor"]
    await repository.put_manifest(descriptor["digest"], data, descriptor["mediaType"], descriptor["digest"])
