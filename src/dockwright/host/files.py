"""Reading small files of /proc and /sys below a root that tests can put elsewhere."""

import os


class HostFiles:
    """The host's files.

    Args:
        root: "" for the real host, a directory in tests.
    """

    def __init__(self, root: str = "") -> None:
        self.root = root

    def text(self, path: str, default: str = "") -> str:
        """The file's content without white space at its ends; `default` if it cannot be read."""
        try:
            with open(self.root + path, encoding="utf-8", errors="replace") as file:
                return file.read(1 << 16).strip()
        except OSError:
            return default

    def exists(self, path: str) -> bool:
        """Whether there is something at `path`."""
        return os.path.exists(self.root + path)
