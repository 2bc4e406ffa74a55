"""Restart policies: whether a container that has ended is started again, and when. Pure functions."""

from dockwright.base.errors import InvalidParameter
from dockwright.containers.container import Container, State
from dockwright.types.container import HostConfig, RestartPolicy

SHORTEST, LONGEST = 0.1, 60.0  # seconds before a container is started again
STEADY = 10.0  # seconds of a run after which the delay begins anew
NAMES = ("no", "always", "on-failure", "unless-stopped")


def check(host: HostConfig) -> None:
    """Raises InvalidParameter, in Docker's words, for a policy that cannot be."""
    policy = host.RestartPolicy or RestartPolicy("no", 0)
    name, count = policy.Name or "no", policy.MaximumRetryCount or 0
    prefix = "invalid restart policy: "
    if name not in NAMES:
        raise InvalidParameter(
            f"{prefix}unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if count and name != "on-failure":
        more = " and cannot be negative" if count < 0 else ""
        raise InvalidParameter(f"{prefix}maximum retry count can only be used with 'on-failure'{more}")
    if count < 0:
        raise InvalidParameter(f"{prefix}maximum retry count cannot be negative")
    if name != "no" and host.AutoRemove:
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")


def wanted(policy: RestartPolicy, state: State) -> bool:
    """Whether a container that has just ended is started again."""
    if policy.Name == "on-failure":
        limit = policy.MaximumRetryCount or 0
        return state.exit_code != 0 and (not limit or state.restart_count < limit)
    return policy.Name == "always" or (policy.Name == "unless-stopped" and not state.stopped_by_hand)


def wanted_at_boot(container: Container) -> bool:
    """Whether a new daemon starts a container that it finds ended."""
    policy, state = container.host.RestartPolicy, container.state
    if policy is None or not state.ended:
        return False
    if policy.Name == "unless-stopped":
        return not state.stopped_by_hand
    return policy.Name == "always" or (policy.Name == "on-failure" and state.exit_code != 0)


def delay(before: float, ran: float) -> float:
    """Seconds until the next start.

    Args:
        before: the delay before the last one, 0 for none. ran: how long the container has run.
    """
    return SHORTEST if not before or ran >= STEADY else min(2 * before, LONGEST)
