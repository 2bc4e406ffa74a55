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


def plan(image: Image, name: str, by_id: bool, force: bool, users: Sequence[str], running: Collection[str]) -> Plan:
    """Decide.

    Args:
        name: as the user wrote it. by_id: it was an id. users: containers of this image. running: those that run, of all.

    Raises:
        Conflict: in Docker's words.
    """
    active = [user for user in users if user in running]
    if by_id:
        return _by_id(image, force, users, active)
    return _by_name(image, name, force, users, active)


def _by_name(image: Image, name: str, force: bool, users: Sequence[str], active: Sequence[str]) -> Plan:
    target = (str(reference.parse(name).tagged()),)
    if len(image.names) > 1:
        return Plan(target, deleted=False)
    if users and not force:
        raise Conflict(
            f'conflict: unable to remove repository reference "{name}" (must force) - container {short(users[0])} is using '
            f"its referenced image {short(image.id)}"
        )
    return Plan(target, deleted=not active)  # what a running container uses stays, without a name


def _by_id(image: Image, force: bool, users: Sequence[str], active: Sequence[str]) -> Plan:
    if active:
        raise _conflict(image, "cannot be forced", f"image is being used by running container {short(active[0])}")
    if len(image.names) > 1 and not force:
        raise _conflict(image, "must be forced", "image is referenced in multiple repositories")
    if users and not force:
        raise _conflict(image, "must be forced", f"image is being used by stopped container {short(users[0])}")
    return Plan(image.names, deleted=True)


def _conflict(image: Image, how: str, why: str) -> Conflict:
    return Conflict(f"conflict: unable to delete {short(image.id)} ({how}) - {why}")
