"""What this host has, before and after: what a container engine could leave behind, by kind.

Others may start and end things meanwhile, so what they could confuse is told by its mark: mounts by our folder,
namespaces by its name, cgroups by our containers' ids. Processes need no mark: we are the reaper of everything we
started (prctl(2), PR_SET_CHILD_SUBREAPER), so whatever is left is our child.
"""

import ctypes
import os
import subprocess
import time
from pathlib import Path

from place import command, links, present

PR_SET_CHILD_SUBREAPER = 36
CGROUPS = "/sys/fs/cgroup"
PARENTS = ("docker", "dockwright")
PLACES = ("/run/dockwright", "/var/lib/dockwright", "/run/docker.sock", "/var/log/dockwright.log")
SETTINGS = ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables")
PATIENCE = 10.0

Found = dict[str, set[str]]


def adopt_orphans() -> None:
    """From now on every process below us that loses its parent becomes our child."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def look(root: str, idents: set[str]) -> Found:
    """Everything of these kinds that is here now and may be ours."""
    marks = (root, *idents)
    return {
        "processes": processes(),
        "mounts": {line.split()[4] for line in _lines("/proc/self/mountinfo") if any(m in line for m in marks)},
        "namespaces": {path for path in (f"/run/netns/{os.path.basename(root)}",) if present(path)},
        "cgroups": {path for path in cgroups() if os.path.basename(path) in (*idents, *PARENTS)},
        "links": {link["ifname"] for link in links()},
        "rules": rules(),
        "settings": {f"{name} = {Path('/proc/sys', name).read_text().strip()}" for name in SETTINGS if _setting(name)},
        "files": {path for path in (root, *PLACES) if present(path)},
    }


def rules() -> set[str]:
    """The host's firewall, one string for each rule with the chain it stands in."""
    found, where = set(), ""
    for line in command("nft", "--stateless", "list", "ruleset").splitlines():
        where = line if line.startswith("table") else where
        found.add(f"{where} {line.strip()}")
    return found


def processes() -> set[str]:
    """Our children that live; those that have ended are reaped."""
    while _reap():
        pass
    found = set()
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        found.add(f"{pid} {words}")
    return found


def cgroups() -> set[str]:
    """Every cgroup, in every hierarchy."""
    return {os.path.join(path, name) for path, names, _ in os.walk(CGROUPS) for name in names}


def settle(root: str, idents: set[str], before: Found) -> Found:
    """What is here now and was not before: asked again until there is nothing, or patience ends."""
    deadline = time.monotonic() + PATIENCE
    while True:
        _give_back(before["cgroups"])
        left = {kind: found - before[kind] for kind, found in look(root, idents).items()}
        if not any(left.values()) or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def _give_back(before: set[str]) -> None:
    """Folders above all containers' cgroups that were not there before; one that others use by now stays."""
    for path in cgroups() - before:
        if os.path.basename(path) in PARENTS and not any(entry.is_dir() for entry in os.scandir(path)):
            os.rmdir(path)


def _reap() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] > 0
    except ChildProcessError:
        return False


def _setting(name: str) -> bool:
    return present(f"/proc/sys/{name}")


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def unmount(root: str) -> None:
    """The last resort of a demonstration that failed: nothing stays mounted below `root`."""
    points = [line.split()[4] for line in _lines("/proc/self/mountinfo") if line.split()[4].startswith(f"{root}/")]
    for point in reversed(points):
        subprocess.run(["umount", "--lazy", point], check=False)
