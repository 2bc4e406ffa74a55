"""The Engine API server: HTTP in, manager calls, answers out, and nothing else."""

from dockwright.api.managers import Managers
from dockwright.api.server import ApiServer

__all__ = ["ApiServer", "Managers"]
