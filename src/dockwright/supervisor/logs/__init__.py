"""Log files: written by the shim (`writer`), read by the daemon (`reader`)."""
