"""Storage drivers: each keeps layers on disk and says how they are mounted; somebody else mounts."""
