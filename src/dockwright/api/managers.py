"""What the API serves: the managers of the rooms below, as the composition root built them."""

from dataclasses import dataclass
from typing import Any

from dockwright.events import EventBus


@dataclass
class Managers:
    """The rooms' managers by the contract in docs/architecture.md.

    Attributes:
        containers, images, networks, volumes: the managers.
        events: the daemon's event bus.
        system: answers `info()` and `version()`; see `api.system.System`.
        usage, disk: what things take, and whose the disk is; see `upkeep`.
    """

    containers: Any
    images: Any
    networks: Any
    volumes: Any
    events: EventBus
    system: Any
    usage: Any
    disk: Any
