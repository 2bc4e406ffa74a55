"""The event bus: what happened to containers, images, networks and volumes, now and in the last week."""

from dockwright.events.bus import EventBus, Subscription
from dockwright.events.history import History

__all__ = ["EventBus", "History", "Subscription"]
