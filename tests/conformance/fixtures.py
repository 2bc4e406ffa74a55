"""Stand-ins for the images that suites want, made from the system's static busybox: nothing is fetched."""

import tarfile
from dataclasses import dataclass, field

from images import busybox_layer, docker_archive, tar

_FOLDERS = (
    "dev", "home", "mnt", "opt", "proc", "run", "sbin", "srv", "sys", "usr", "usr/bin", "usr/sbin", "var", "var/log", "var/opt",
)  # fmt: skip
_USERS = (
    b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\npostgres:x:70:70::/home:/bin/sh\n"
    b"nobody:x:65534:65534::/home:/bin/false\n"
)
_GROUPS = b"root:x:0:\ndaemon:x:1:\npostgres:x:70:\nnobody:x:65534:\n"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NGINX = (
    "mkdir -p /www; echo '<h1>Welcome to nginx!</h1>' >/www/index.html; echo 'Configuration complete; ready for start up'; "
    "exec httpd -f -p 80 -h /www"
)
_HELLO = (
    "mkdir -p /www; echo '<h1>Hello world</h1>' >/www/index.html; printf PONG >/www/ping; echo 0 >/www/uuid; "
    "echo 'DELAY_START_MSEC: 0' >&2; httpd -p 8081 -h /www; echo 'Sleeping for 0 ms'; echo 'Starting server on port 8080'; "
    "echo 'Ready, listening on 8080 and 8081'; exec httpd -f -p 8080 -h /www"
)


@dataclass(frozen=True)
class Image:
    """An image's name, its command and the ports it exposes."""

    name: str
    command: list[str]
    ports: tuple[str, ...] = field(default=())

    def config(self) -> dict[str, object]:
        """What `docker inspect` shows as its Config."""
        exposed = {"ExposedPorts": {port: {} for port in self.ports}} if self.ports else {}
        return {"Cmd": self.command, "Env": [_PATH], "Labels": {"stand-in": self.name}, **exposed}


IMAGES = [
    *(Image(name, ["sh"]) for name in ("busybox:latest", "busybox:1.36", "alpine:latest", "alpine:3.10", "ubuntu:latest")),
    Image("hello-world:latest", ["echo", "\nHello from Docker!\nThis message shows that your installation works."]),
    *(Image(name, ["sh", "-c", _NGINX], ("80/tcp",)) for name in ("nginx:latest", "nginx:alpine", "nginx:alpine-slim")),
    Image("testcontainers/helloworld:1.2.0", ["sh", "-c", _HELLO], ("8080/tcp", "8081/tcp")),
]


def archives() -> list[bytes]:
    """Each image as `docker save` would write it; no two have the same id."""
    base = busybox_layer()
    system = tar([
        *((name, tarfile.DIRTYPE, None, 0o755) for name in _FOLDERS), ("tmp", tarfile.DIRTYPE, None, 0o1777),
        ("etc/passwd", tarfile.REGTYPE, _USERS, 0o644), ("etc/group", tarfile.REGTYPE, _GROUPS, 0o644),
    ])  # fmt: skip
    return [docker_archive([base, system], [image.name], image.config()) for image in IMAGES]
