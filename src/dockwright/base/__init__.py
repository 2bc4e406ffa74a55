"""Error kinds, ids, atomic files, paths, and the types of plans and traces."""
