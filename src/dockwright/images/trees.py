"""An index with all that hangs on it: the documents below it, and the blobs those describe.

An archive may bring one, and the store may have one whole; both are walked here. Source: OCI image spec 1.1, image-index.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from dockwright.base.errors import InvalidParameter
from dockwright.images import oci
from dockwright.images.content import Blob

DEEPEST = 4  # indexes below indexes
Look = Callable[[oci.Descriptor], Blob | None]  # the blob of a descriptor, which it fits; None if it is not to be had


@dataclass(frozen=True)
class Branch:
    """A document and what it describes."""

    descriptor: oci.Descriptor
    document: Blob
    children: tuple[oci.Descriptor, ...]


@dataclass
class Tree:
    """What is to be had of an index.

    Attributes:
        branches: documents, each before those it lists. leaves: everything they describe that is no document. whole: nothing
            of it is missing.
    """

    branches: list[Branch] = field(default_factory=list)
    leaves: list[Blob] = field(default_factory=list)
    whole: bool = True

    @property
    def top(self) -> Branch:
        """The index itself."""
        return self.branches[0]

    @property
    def blobs(self) -> list[Blob]:
        """All of it."""
        return [*(branch.document for branch in self.branches), *self.leaves]


def tree(top: oci.Descriptor, look: Look) -> Tree | None:
    """The tree of an index; None if `top` is none, or not here.

    Raises:
        InvalidParameter: a document is not what it is called, or indexes are nested too deep. What `look` raises.
    """
    found, seen, level = Tree(), {top.digest}, [(top, True)]
    for _ in range(DEEPEST + 2):
        below: list[tuple[oci.Descriptor, bool]] = []
        for descriptor, is_document in level:
            blob = look(descriptor)
            if blob is None:
                found.whole = False
            elif is_document:
                below += _grown(found, descriptor, blob)
            else:
                found.leaves.append(blob)
        level = _unseen(below, seen)
    if level:
        raise InvalidParameter(f"indexes are nested more than {DEEPEST} deep")
    return found if found.branches and _is_index(found.top) else None


def _grown(found: Tree, descriptor: oci.Descriptor, blob: Blob) -> list[tuple[oci.Descriptor, bool]]:
    """Note a document; what it describes, and which of that are documents again."""
    data = blob.read(oci.LARGEST_DOCUMENT)
    if oci.is_index(descriptor, data):
        children = oci.index(data, descriptor.media_type).manifests
        below = [(child, child.media_type in (*oci.INDEX_TYPES, *oci.MANIFEST_TYPES)) for child in children]
    else:
        manifest = oci.manifest(data, descriptor.media_type)
        children = [manifest.config, *manifest.layers]
        below = [(child, False) for child in children]
    found.branches.append(Branch(descriptor, blob, tuple(children)))
    return below


def _unseen(entries: list[tuple[oci.Descriptor, bool]], seen: set[str]) -> list[tuple[oci.Descriptor, bool]]:
    fresh = []
    for descriptor, is_document in entries:
        if descriptor.digest not in seen:
            seen.add(descriptor.digest)
            fresh.append((descriptor, is_document))
    return fresh


def _is_index(branch: Branch) -> bool:
    return oci.is_index(branch.descriptor, branch.document.read(oci.LARGEST_DOCUMENT))
