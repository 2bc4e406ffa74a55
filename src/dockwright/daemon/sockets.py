"""Where the daemon listens when nobody says (DECISIONS 4): our own socket, and Docker's too if no Docker is there."""

import logging

from dockwright.api.listeners import alive

log = logging.getLogger("dockwright.daemon")

OURS = "/run/dockwright/dockwright.sock"
DOCKERS = "/run/docker.sock"


def default_hosts(ours: str = OURS, dockers: str = DOCKERS) -> list[str]:
    """The hosts to listen on: `dockers` is left out where somebody live listens there."""
    if alive(dockers):
        log.info("another engine listens on %s: only %s is ours", dockers, ours)
        return [f"unix://{ours}"]
    return [f"unix://{ours}", f"unix://{dockers}"]
