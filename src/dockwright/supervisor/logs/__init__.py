"""Log files: written by the shim, read by the daemon."""
