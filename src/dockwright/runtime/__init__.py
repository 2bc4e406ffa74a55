"""The OCI runtime. Start time is its contract: see docs/rooms/runtime.md for what it may import."""
