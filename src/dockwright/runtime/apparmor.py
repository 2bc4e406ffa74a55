"""AppArmor: the profile a process gets at its next execve(2) (apparmor(7), kernel security/apparmor/procattr.c)."""

from __future__ import annotations

import os

from dockwright.runtime import procfs
from dockwright.runtime.failure import RuntimeFailure, words


def enabled() -> bool:
    """Whether the kernel runs AppArmor."""
    try:
        with open("/sys/module/apparmor/parameters/enabled", encoding="ascii") as file:
            return file.read(1) == "Y"
    except OSError:
        return False


def confine_at_exec(profile: str) -> None:
    """Let the calling thread be confined by `profile` from its execve(2) on.

    Raises:
        RuntimeFailure: the profile is not loaded, or the kernel has no AppArmor.
    """
    proc = procfs.open_own()
    try:
        try:
            procfs.write(proc, f"{os.getpid()}/attr/apparmor/exec", f"exec {profile}")
        except FileNotFoundError:  # before Linux 5.1 AppArmor had no folder of its own
            procfs.write(proc, f"{os.getpid()}/attr/exec", f"exec {profile}")
    except OSError as error:
        raise RuntimeFailure(
            "unable to apply apparmor profile: apparmor failed to apply profile: "
            f"write /proc/self/attr/apparmor/exec: {words(error)}"
        ) from None
    finally:
        os.close(proc)
