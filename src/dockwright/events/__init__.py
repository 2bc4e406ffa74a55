"""The event bus: what happened to containers, images, networks and volumes, now and in the last 256 events."""

from dockwright.events.bus import EventBus, Subscription

__all__ = ["EventBus", "Subscription"]
