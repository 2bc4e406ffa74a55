"""The composition root: configuration, building of the managers, restore, signals, shutdown."""
