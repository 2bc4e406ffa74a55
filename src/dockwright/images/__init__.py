"""The image manager: references, content store, layers, snapshotters, load and save."""
