"""Stand-ins for the images that suites want, made from the system's static busybox: nothing is fetched."""

import tarfile

from images import busybox_layer, docker_archive, tar

_FOLDERS = (
    "dev", "home", "mnt", "opt", "proc", "run", "sbin", "srv", "sys", "usr", "usr/bin", "usr/sbin", "var", "var/log", "var/opt",
)
_USERS = (
    b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\npostgres:x:70:70::/home:/bin/sh\n"
    b"nobody:x:65534:65534::/home:/bin/false\n"
)
_GROUPS = b"root:x:0:\ndaemon:x:1:\npostgres:x:70:\nnobody:x:65534:\n"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IMAGES: dict[str, list[str]] = {
    "busybox:latest": ["sh"], "busybox:1.36": ["sh"], "alpine:latest": ["/bin/sh"], "alpine:3.10": ["/bin/sh"],
    "hello-world:latest": ["echo", "Hello from Docker!"],
}  # fmt: skip


def archives() -> dict[str, bytes]:
    """Each image as `docker save` would write it, by name; no two have the same id."""
    base = busybox_layer()
    system = tar([
        *((name, tarfile.DIRTYPE, None, 0o755) for name in _FOLDERS), ("tmp", tarfile.DIRTYPE, None, 0o1777),
        ("etc/passwd", tarfile.REGTYPE, _USERS, 0o644), ("etc/group", tarfile.REGTYPE, _GROUPS, 0o644),
    ])  # fmt: skip
    found = {}
    for name, command in IMAGES.items():
        own = tar([("etc/stand-in", tarfile.REGTYPE, name.encode(), 0o644)])  # so that it frees something when it goes
        config = {"Cmd": command, "Env": [_PATH], "Labels": {"stand-in": name}}
        found[name] = docker_archive([base, system, own], [name], config)
    return found
