"""Whose an image is: the policy at a pull, and `image verify` of what is here."""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

from dockwright.base.errors import Forbidden, InvalidParameter
from dockwright.grammar.reference import Reference, parse
from dockwright.images import blobrows, store
from dockwright.images.content import Blob, Content, Ingest
from dockwright.images.load import Loader
from dockwright.images.manifests import Resolved, digest_of
from dockwright.images.registry.client import Caller, Registries
from dockwright.images.signatures import finding, keys, policy
from dockwright.images.signatures.finding import Attached
from dockwright.images.signatures.keys import Trust, Unverified
from dockwright.images.signatures.policy import Policy
from dockwright.images.signatures.signature import Signature
from dockwright.images.store import Image
from dockwright.metadata import Database

POLICY = "/etc/dockwright/policy.json"


class Verifier:
    """Holds images against keys.

    Args:
        path: of the policy file, "" for POLICY, which need not be there. It is read whenever it is needed: a change counts at
            once, and a broken file lets nothing pass.
    """

    def __init__(self, database: Database, content: Content, loader: Loader, registries: Registries, path: str) -> None:
        self._database, self._content, self._loader, self._registries = database, content, loader, registries
        self._path = path

    def _policy(self) -> Policy:
        """Raises InvalidParameter: the file is broken, or one that was named is not there."""
        if not self._path and not os.path.exists(POLICY):
            return Policy()
        return policy.load(self._path or POLICY)

    async def admit(self, resolved: Resolved, reference: Reference) -> list[Attached]:
        """See that an image may be pulled; the signatures that were looked at are to be kept beside it.

        Raises:
            Forbidden: it may not, by the policy. RegistryError: its signatures are not to be had.
        """
        requirements = self._policy().requirements(reference)
        digests = [document.digest for document in resolved.chain]
        signed = any(requirement.trusted for requirement in requirements)
        attached = await finding.at_registry(resolved.repository, digests) if signed else []
        policy.enforce(requirements, reference, digests, _signatures(attached))
        return attached

    async def verify(self, name: str, given: Sequence[str], caller: Caller, offline: bool) -> dict[str, Any]:
        """POST /dockwright/v1/images/{name}/verify.

        Args:
            given: PEM texts of keys and certificates, each of which must have signed; none: what the policy wants.
            offline: look only at the signatures that are kept here.

        Raises:
            NotFound: no such image. InvalidParameter: no keys, or broken ones. RegistryError: in its words.
        """
        image = store.find(self._database.read(), name)
        reference = _called(image, name)
        digests = _digests(self._database.read(), image)
        trusted = [trust for text in given for trust in keys.read(text.encode(), "key")]
        requirements = self._policy().requirements(reference) if reference else ()
        if not trusted and not any(requirement.trusted for requirement in requirements):
            raise InvalidParameter(f"no key is given, and the policy names none for {name}")
        attached = await asyncio.to_thread(self._kept, digests)
        if not attached and reference and not offline:
            attached = await self._fetched(image, reference, digests, caller)
        signatures = _signatures(attached)
        everybody = trusted or [trust for requirement in requirements for trust in requirement.trusted]
        shown = [_judged(signature, everybody, digests) for signature in signatures]
        if trusted:
            reason = _missing(trusted, signatures, digests)
        else:
            assert reference
            reason = _refused(partial(policy.enforce, requirements, reference, digests, signatures))
        return {
            "Id": image.id, "Digests": digests, "Verified": not reason, "Reason": reason, "Signatures": shown,
        }  # fmt: skip

    def _kept(self, digests: Sequence[str]) -> list[Attached]:
        connection = self._database.read()

        def read(digest: str) -> bytes:
            return self._content.blob(digest).read(1 << 23)

        def children(digest: str) -> list[str]:
            beside = blobrows.blobs_beside(connection, digest)
            return finding.beside(read(digest), beside) if beside else []

        return finding.stored(digests, children, read)

    async def _fetched(self, image: Image, reference: Reference, digests: Sequence[str], caller: Caller) -> list[Attached]:
        """Signatures from the image's registry, which are kept from now on."""
        work = partial(finding.at_registry, digests=digests)
        attached = await self._registries.at_each(reference.domain, reference.path, caller, work)
        ingest = self._content.ingest()
        try:
            blobs = await written(ingest, attached)
            await self._loader.keep(blobs, lambda connection, _: note(connection, attached), image.id)
        finally:
            await asyncio.to_thread(ingest.close)
        return attached


async def written(ingest: Ingest, attached: Sequence[Attached]) -> list[Blob]:
    """Signatures and their manifests as blobs, each once."""
    found = {}
    for data in (data for each in attached for data in (each.data, *each.blobs.values())):
        if digest_of(data) not in found:
            found[digest_of(data)] = await asyncio.to_thread(ingest.write, [data])
    return list(found.values())


def note(connection: sqlite3.Connection, attached: Sequence[Attached]) -> None:
    """Signatures are kept for as long as what they are about."""
    for each in attached:
        document = digest_of(each.data)
        blobrows.add_children(connection, each.subject, [document])
        blobrows.add_children(connection, document, list(each.blobs))


def _signatures(attached: Sequence[Attached]) -> list[Signature]:
    return [signature for each in attached for signature in each.signatures]


def _called(image: Image, name: str) -> Reference | None:
    """The name an image is verified by: the one that was given, or for an id the first it has."""
    if not store.is_id(image, name):
        return parse(name).tagged()
    return parse(image.references[0]) if image.references else None


def _digests(connection: sqlite3.Connection, image: Image) -> list[str]:
    """The documents by which the image is known at registries: its manifest, and indexes it came by."""
    known = [image.manifest, *(full.partition("@")[2] for full in image.references if "@" in full)]
    return [digest for digest in dict.fromkeys(known) if digest and blobrows.has_blob(connection, digest)]


def _judged(signature: Signature, trusted: Sequence[Trust], digests: Sequence[str]) -> dict[str, Any]:
    """What is shown of one signature."""
    shown = {"Kind": signature.kind, "Manifest": signature.document}
    try:
        claim = policy.verify(signature, trusted, digests)
    except Unverified as error:
        return {**shown, "Valid": False, "Reason": str(error), "Signer": "", "Identity": "", "Digest": "", "Annotations": {}}
    said = {"Signer": claim.signer, "Identity": claim.identity, "Digest": claim.digest, "Annotations": claim.annotations}
    return {**shown, "Valid": True, "Reason": "", **said}


def _missing(trusted: Sequence[Trust], signatures: Sequence[Signature], digests: Sequence[str]) -> str:
    """Whose signature is missing, "" if all have signed."""
    if not signatures:
        return "no signature exists"
    unsigned = [
        trust.name for trust in trusted if not any(_judged(each, [trust], digests)["Valid"] for each in signatures)
    ]  # fmt: skip
    return f"no signature is made by {', '.join(unsigned)}" if unsigned else ""


def _refused(enforce: Any) -> str:
    try:
        enforce()
    except Forbidden as error:
        return error.message
    return ""
