"""What an image's index attests of it: in-toto statements (provenance, bills of materials) in attestation manifests.

Sources: BuildKit's "Image Attestation Storage" (an attestation manifest names its subject in an annotation, each layer is a
statement); in-toto attestation framework, Statement; DSSE for statements in a signed envelope. Signatures are not looked at
here: see `verifying`.
"""

import base64
import binascii
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from dockwright.base.errors import NotFound
from dockwright.images import blobrows, oci, platforms, store
from dockwright.images.content import Blob, Content
from dockwright.images.store import Image
from dockwright.images.trees import Branch, Tree, tree

FOR, PREDICATE = "vnd.docker.reference.digest", "in-toto.io/predicate-type"
IN_TOTO = "application/vnd.in-toto"
LARGEST = 64 << 20  # bytes of a statement: bills of materials are long


class _Statement(msgspec.Struct, rename={"predicate_type": "predicateType"}):
    """A statement, as far as it is listed."""

    predicate_type: str = ""
    subject: list[Any] | None = None


class _Envelope(msgspec.Struct):
    """DSSE: a statement with signatures."""

    payload: str | None = None


class Attestations:
    """Reads the statements that are kept beside images."""

    def __init__(self, connection: sqlite3.Connection, content: Content) -> None:
        self._connection, self._content = connection, content

    def of(
        self, image: Image, wanted: oci.Platform | None = None, types: Collection[str] = (), statements: bool = False
    ) -> list[dict[str, Any]]:
        """Every statement about an image, in the order of its index.

        Args:
            wanted: not this image but the one for a platform under the same names. types: only statements of these predicate
                types. statements: with their text.

        Returns:
            Descriptor, PredicateType, Subject, For (the manifest it is about), Manifest (the one that holds it), Statement.

        Raises:
            NotFound: no image for that platform; a statement that the index names is not here.
        """
        found, chosen = [], False
        for top in store.tops(self._connection, image.id):
            index = tree(oci.Descriptor(digest=top), self._look)
            subject = _subject(index, image, wanted) if index else ""
            if index and subject:
                chosen = True
                for descriptor in _about(index, subject):
                    found += list(self._read(index, descriptor, types, statements))
        if wanted and not chosen:
            raise NotFound(f"no matching manifest for {platforms.shown(wanted)} in the manifest list entries")
        return found

    def _look(self, descriptor: oci.Descriptor) -> Blob | None:
        there = blobrows.has_blob(self._connection, descriptor.digest)
        return self._content.blob(descriptor.digest) if there else None

    def _read(
        self, index: Tree, attestation: oci.Descriptor, types: Collection[str], statements: bool
    ) -> Iterator[dict[str, Any]]:
        for layer in _branch(index, attestation.digest).children[1:]:  # the first is a config that says nothing
            if not layer.media_type.startswith(IN_TOTO):
                continue
            kind = (layer.annotations or {}).get(PREDICATE, "")
            if types and kind and kind not in types:
                continue
            blob = self._look(layer)
            if blob is None:
                raise _absent(layer.digest)
            text = _opened(blob.read(LARGEST))
            said = oci.decoded(text, _Statement, f"invalid statement {layer.digest}")
            kind = kind or said.predicate_type
            if not types or kind in types:
                yield {
                    "Descriptor": _shown(layer), "PredicateType": kind, "Subject": said.subject or [],
                    "For": (attestation.annotations or {}).get(FOR, ""), "Manifest": attestation.digest,
                    **({"Statement": msgspec.json.decode(text)} if statements else {}),
                }  # fmt: skip


def _absent(digest: str) -> NotFound:
    return NotFound(f"the attestation {digest} is not here: `dockwright pull --all-platforms` brings what an index has beside")


def _subject(index: Tree, image: Image, wanted: oci.Platform | None) -> str:
    """The digest of the manifest that is asked about, "" if the index does not list it."""
    listed = [child for branch in index.branches for child in branch.children if child.platform is not None]
    if wanted:
        best = platforms.best(listed, wanted)
        return best[0].digest if best else ""
    own = [branch for branch in index.branches if branch.children and branch.children[0].digest == image.id]
    return own[0].document.digest if own else ""


def _about(index: Tree, subject: str) -> list[oci.Descriptor]:
    """The attestation manifests about a manifest."""
    children = [child for branch in index.branches for child in branch.children]
    return [child for child in children if oci.is_attestation(child) and (child.annotations or {}).get(FOR) == subject]


def _branch(index: Tree, digest: str) -> Branch:
    found = next((branch for branch in index.branches if branch.document.digest == digest), None)
    if found is None:
        raise _absent(digest)
    return found


def _opened(data: bytes) -> bytes:
    """The statement itself, taken out of its envelope."""
    envelope = oci.decoded(data, _Envelope, "invalid statement")
    if envelope.payload is None:
        return data
    try:
        return base64.b64decode(envelope.payload, validate=True)
    except (binascii.Error, ValueError):
        return data


def _shown(descriptor: oci.Descriptor) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(descriptor)
    return {name: value for name, value in document.items() if value is not None}
