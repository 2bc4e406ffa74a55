"""Which AppArmor profile confines a container."""

from dockwright.host import security as facts
from dockwright.host.files import HostFiles
from dockwright.spec.security import Security

DEFAULT, UNCONFINED = "docker-default", "unconfined"


def apparmor(chosen: Security, privileged: bool, files: HostFiles | None = None) -> str:
    """The profile, "" for none: none on a host without AppArmor, or where the default one is not loaded."""
    files = files or HostFiles()
    profile = chosen.apparmor or ("" if privileged else DEFAULT)
    if profile in ("", UNCONFINED) or not facts.apparmor(files):
        return ""
    loaded = [line.split(" ")[0] for line in files.text("/sys/kernel/security/apparmor/profiles").splitlines()]
    return profile if chosen.apparmor or profile in loaded else ""
