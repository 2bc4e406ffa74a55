"""Checkpoints: a container's processes written to files and made from them again, by criu (criu.org), over its RPC."""
