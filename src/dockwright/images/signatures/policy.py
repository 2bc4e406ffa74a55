"""The policy: which images may be pulled, and whose signatures they need.

It is a file in the format of containers-policy.json(5), which podman and skopeo read as well, with one requirement more for the
Notary Project's signatures. Of the file these count: `default`, and `transports.docker` by scope.

    {"default": [{"type": "insecureAcceptAnything"}],
     "transports": {"docker": {
         "registry.example.com/prod": [{"type": "sigstoreSigned", "keyPath": "/etc/keys/prod.pub"}],
         "registry.example.com/base": [{"type": "notationSigned", "certPaths": ["/etc/keys/ca.pem"]}],
         "docker.io": [{"type": "reject"}]}}}
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dockwright.base.errors import Forbidden, InvalidParameter
from dockwright.grammar.reference import Reference, parse
from dockwright.images.signatures import cosign, keys, notation
from dockwright.images.signatures.keys import Trust, Unverified
from dockwright.images.signatures.signature import COSIGN, NOTATION, Claim, Signature

ACCEPT, REJECT, SIGSTORE, NOTARY = "insecureAcceptAnything", "reject", "sigstoreSigned", "notationSigned"
MATCHES = ("matchExact", "matchRepoDigestOrExact", "matchRepository", "exactReference", "exactRepository")
_SOURCES = {
    SIGSTORE: ("keyPath", "keyPaths", "keyData", "keyDatas"), NOTARY: ("certPath", "certPaths", "certData", "certDatas"),
}  # fmt: skip
_VERIFY = {COSIGN: cosign.verified, NOTATION: notation.verified}


@dataclass(frozen=True)
class Requirement:
    """One thing an image needs.

    Attributes:
        kind: ACCEPT, REJECT, SIGSTORE or NOTARY. trusted: whose signature is needed.
        identity: how a claim must name the image; see MATCHES. wanted: the name for the exact ones.
    """

    kind: str
    trusted: tuple[Trust, ...] = ()
    identity: str = "matchRepoDigestOrExact"
    wanted: str = ""


@dataclass(frozen=True)
class Policy:
    """What a file says; without one, everything is accepted."""

    default: tuple[Requirement, ...] = (Requirement(ACCEPT),)
    scopes: tuple[tuple[str, tuple[Requirement, ...]], ...] = ()

    def requirements(self, reference: Reference) -> tuple[Requirement, ...]:
        """Those of the narrowest scope: the very reference, its repository, what that is below, the registry, its domain."""
        by_scope = dict(self.scopes)
        return next((by_scope[scope] for scope in _scopes(reference) if scope in by_scope), self.default)

    def trusted(self, reference: Reference) -> list[Trust]:
        """Everybody whose signature images of this name may need."""
        return [trust for requirement in self.requirements(reference) for trust in requirement.trusted]


def load(path: str) -> Policy:
    """The policy in the file at `path`.

    Raises:
        InvalidParameter: it cannot be read, says what is not known here, or a key is none. Nothing of it counts then.
    """
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read())
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidParameter(f"image policy {path}: {error}") from None
    try:
        _only(document, {"default", "transports"})
        scopes = document.get("transports", {}).get("docker", {})
        return Policy(
            _requirements(document["default"]), tuple((scope, _requirements(given)) for scope, given in scopes.items())
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidParameter(f"image policy {path}: not in the format of containers-policy.json: {error!r}") from None
    except InvalidParameter as error:
        raise InvalidParameter(f"image policy {path}: {error.message}") from None


def _scopes(reference: Reference) -> list[str]:
    """Scopes a reference is in, the narrowest first."""
    name = reference.name
    exact = [f"{name}:{reference.tag}"] if reference.tag else []
    exact += [f"{name}@{reference.digest}"] if reference.digest else []
    parts = name.split("/")
    folders = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    labels = parts[0].partition(":")[0].split(".")
    wildcards = ["*." + ".".join(labels[count:]) for count in range(1, len(labels))]
    return [*exact, *folders, *wildcards, ""]


def _requirements(given: Any) -> tuple[Requirement, ...]:
    if not isinstance(given, list) or not given:
        raise InvalidParameter("a scope needs at least one requirement")
    return tuple(map(_requirement, given))


def _requirement(given: dict[str, Any]) -> Requirement:
    kind = given["type"]
    if kind in (ACCEPT, REJECT):
        _only(given, {"type"})
        return Requirement(kind)
    if kind not in _SOURCES:
        raise InvalidParameter(f'requirements of type "{kind}" are not supported')
    path, paths, data, datas = _SOURCES[kind]
    _only(given, {"type", "signedIdentity", path, paths, data, datas})
    trusted = [trust for file in _several(given, path, paths) for trust in _from_file(file)]
    trusted += [trust for text in _several(given, data, datas) for trust in keys.read(_decoded(text), data)]
    wrong = [trust.name for trust in trusted if (trust.key is None) is (kind == SIGSTORE)]
    if wrong or not trusted:
        raise InvalidParameter(f"{kind} needs {'public keys' if kind == SIGSTORE else 'certificates'}, given: {wrong}")
    identity = given.get("signedIdentity") or {"type": "matchRepoDigestOrExact"}
    _only(identity, {"type", "dockerReference", "dockerRepository"})
    if identity["type"] not in MATCHES:
        raise InvalidParameter(f'signedIdentity of type "{identity["type"]}" is not supported')
    wanted = identity.get("dockerReference") or identity.get("dockerRepository") or ""
    return Requirement(kind, tuple(trusted), identity["type"], wanted)


def _only(given: dict[str, Any], known: set[str]) -> None:
    """What is not understood is not passed over: it may be what makes the difference."""
    if unknown := sorted(set(given) - known):
        raise InvalidParameter(f"unknown keys: {', '.join(unknown)}")


def _several(given: dict[str, Any], one: str, many: str) -> list[str]:
    return [*([given[one]] if one in given else []), *given.get(many, [])]


def _from_file(path: str) -> list[Trust]:
    try:
        with open(path, "rb") as file:
            return keys.read(file.read(), path)
    except OSError as error:
        raise InvalidParameter(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise InvalidParameter("key data is not base64") from None


def enforce(
    requirements: Sequence[Requirement], reference: Reference, digests: Sequence[str], found: Sequence[Signature]
) -> None:  # fmt: skip
    """See that an image meets every requirement.

    Args:
        digests: of the manifest, and of the indexes it was reached by: a signature over an index is one over all it lists.

    Raises:
        Forbidden: it does not, in the words of podman.
    """
    for requirement in requirements:
        if requirement.kind == REJECT:
            raise _rejected(f"Running image docker://{reference} is rejected by policy.")
        if requirement.kind in (SIGSTORE, NOTARY):
            _signed(requirement, reference, digests, found)


def _signed(requirement: Requirement, reference: Reference, digests: Sequence[str], found: Sequence[Signature]) -> None:
    kind = COSIGN if requirement.kind == SIGSTORE else NOTATION
    reasons = []
    for signature in found:
        if signature.kind != kind:
            continue
        try:
            _accept(verify(signature, requirement.trusted, digests), requirement, reference)
        except Unverified as error:
            reasons.append(str(error))
        else:
            return
    if not reasons:
        raise _rejected("A signature was required, but no signature exists")
    raise _rejected(reasons[0] if len(reasons) == 1 else f"None of the signatures were accepted, reasons: {'; '.join(reasons)}")


def _rejected(reason: str) -> Forbidden:
    return Forbidden(f"Source image rejected: {reason}")


def verify(signature: Signature, trusted: Sequence[Trust], digests: Sequence[str]) -> Claim:
    """The claim of a signature that holds, and is about one of `digests`.

    Raises:
        Unverified: with the reason.
    """
    claim = _VERIFY[signature.kind](signature, trusted)
    if claim.digest not in digests:
        raise Unverified(f"the signature is about another image, {claim.digest}")
    return claim


def _accept(claim: Claim, requirement: Requirement, reference: Reference) -> None:
    """See that a claim names the image as the requirement wants it; the Notary Project's claims name none."""
    if requirement.kind == NOTARY:
        return
    try:
        named = parse(claim.identity)
        wanted = parse(requirement.wanted) if requirement.wanted else reference
    except InvalidParameter as error:
        raise Unverified(f"the signature names no image: {error.message}") from None
    repository_only = requirement.identity in ("matchRepository", "exactRepository") or (
        requirement.identity == "matchRepoDigestOrExact" and not reference.tag
    )
    same = named.name == wanted.name and (repository_only or named.tag == wanted.tag)
    if not same:
        raise Unverified(f'Signature for identity "{claim.identity}" is not accepted')
