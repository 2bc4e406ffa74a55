"""The event bus and its history."""
