"""What deleting an image means: which names go, whether the image itself goes, and what forbids it, in Docker's words."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dockwright.base.errors import Conflict
from dockwright.base.ids import short
from dockwright.grammar import reference
from dockwright.images.store import Image


@dataclass(frozen=True)
class Plan:
    """What a delete does.

    Attributes:
        untagged: names that go, full form. deleted: whether the image goes as well.
    """

    untagged: tuple[str, ...]
    deleted: bool


@dataclass(frozen=True)
class Uses:
    """What keeps an image.

    Attributes:
        containers: of this image. running: those that run, of all. children: images built on it.
    """

    containers: Sequence[str]
    running: Collection[str]
    children: Sequence[str]

    @property
    def active(self) -> list[str]:
        """Its containers that run."""
        return [container for container in self.containers if container in self.running]


def plan(image: Image, target: str, name: str, force: bool, uses: Uses) -> Plan:
    """Decide.

    Args:
        target: which of its references was meant, "" for the image itself by its id. name: as the user wrote it.

    Raises:
        Conflict: in Docker's words.
    """
    return _by_name(image, target, name, force, uses) if target else _by_id(image, force, uses)


def _by_name(image: Image, target: str, name: str, force: bool, uses: Uses) -> Plan:
    if uses.containers and not force and _is_single(image):
        raise Conflict(
            f'conflict: unable to remove repository reference "{name}" (must force) - container {short(uses.containers[0])} '
            f"is using its referenced image {short(image.id)}"
        )
    untagged = (target, *_orphans(image, target))
    if set(image.references) - set(untagged):
        return Plan(untagged, deleted=False)
    return Plan(untagged, deleted=not uses.active and not uses.children)  # what is needed stays, without a name


def _orphans(image: Image, target: str) -> list[str]:
    """The digests that go with the last tag of their repository."""
    gone = reference.parse(target)
    if gone.digest:
        return []
    if any(other != target and reference.parse(other).name == gone.name for other in image.names):
        return []
    return [other for other in image.digests if reference.parse(other).name == gone.name]


def _is_single(image: Image) -> bool:
    """Whether it is in one repository, by one tag at most."""
    return len(image.names) < 2 and len({reference.parse(other).name for other in image.references}) < 2


def _by_id(image: Image, force: bool, uses: Uses) -> Plan:
    if uses.children:
        raise _conflict(image, "cannot be forced", "image has dependent child images")
    if uses.active:
        raise _conflict(image, "cannot be forced", f"image is being used by running container {short(uses.active[0])}")
    if not force and not _is_single(image):
        raise _conflict(image, "must be forced", "image is referenced in multiple repositories")
    if uses.containers and not force:
        raise _conflict(image, "must be forced", f"image is being used by stopped container {short(uses.containers[0])}")
    return Plan(image.references, deleted=True)


def _conflict(image: Image, how: str, why: str) -> Conflict:
    return Conflict(f"conflict: unable to delete {short(image.id)} ({how}) - {why}")
