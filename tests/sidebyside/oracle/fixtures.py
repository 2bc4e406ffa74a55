"""The images and files both engines are given: static busybox in several shapes."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

CREATED = "2024-01-{day:02}T00:00:00Z"  # a day for each image: lists are sorted by it
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHAPES: dict[str, dict[str, Any]] = {
    "busybox:latest": {"Cmd": ["sh"]},
    "busybox:1.36": {"Cmd": ["sh"]},
    "shape/entry:v1": {"Entrypoint": ["/bin/echo", "entry"], "Cmd": ["default words"]},
    "shape/user:v1": {
        "Cmd": ["id"], "User": "nobody", "WorkingDir": "/tmp", "Labels": {"shape": "user", "colour": "green"},
        "StopSignal": "SIGINT", "Env": [PATH, "SHAPE=user"],
    },
    "shape/volume:v1": {"Cmd": ["ls", "/data"], "Volumes": {"/data": {}}},
    "shape/ports:v1": {"Cmd": ["sleep", "60"], "ExposedPorts": {"8080/tcp": {}, "53/udp": {}}},
    "shape/bare:v1": {},
    "shape/layers:v1": {"Cmd": ["cat", "/etc/motd"]},
}  # fmt: skip

Entry = tuple[str, bytes, str | bytes | None, int]


def _tar(entries: list[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, content, mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime = kind, mode, 1704067200
            info.linkname = content if isinstance(content, str) else ""
            data = content if isinstance(content, bytes) else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def base_layer() -> bytes:
    """The root file system: busybox with its links, users, a few folders."""
    names = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    entries: list[Entry] = [(name, tarfile.DIRTYPE, None, 0o755) for name in ("bin", "data", "etc", "home", "root")]
    entries.append(("tmp", tarfile.DIRTYPE, None, 0o1777))
    entries.append(("bin/busybox", tarfile.REGTYPE, Path("/bin/busybox").read_bytes(), 0o755))
    entries += [(f"bin/{name}", tarfile.SYMTYPE, "busybox", 0o777) for name in names if name != "busybox"]
    users = b"root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000::/home:/bin/sh\nnobody:x:65534:65534::/home:/bin/false\n"
    groups = b"root:x:0:\nwheel:x:10:root,worker\nworker:x:1000:\nnobody:x:65534:\n"
    entries += [("etc/passwd", tarfile.REGTYPE, users, 0o644), ("etc/group", tarfile.REGTYPE, groups, 0o644)]
    entries.append(("data/kept", tarfile.REGTYPE, b"from the image\n", 0o644))
    entries.append(("bin/plain-text", tarfile.REGTYPE, b"not a program\n", 0o755))
    entries.append(("bin/no-interpreter", tarfile.REGTYPE, b"#!/no/such/interpreter\n", 0o755))
    entries.append(("bin/not-executable", tarfile.REGTYPE, b"#!/bin/sh\n", 0o644))
    return _tar(entries)


def upper_layers() -> list[bytes]:
    """Two more layers: the second takes away what the first brought."""
    first = _tar([("etc/motd", tarfile.REGTYPE, b"hello\n", 0o644), ("etc/gone", tarfile.REGTYPE, b"x", 0o600)])
    return [first, _tar([("etc/.wh.gone", tarfile.REGTYPE, b"", 0o644)])]


def make(folder: Path) -> tuple[Path, set[str]]:
    """Write `images.tar` (a docker-archive of all shapes) and the script's other files into `folder`.

    Returns:
        The archive, and the hex ids of images and layers: both engines must show the same.
    """
    base, upper = base_layer(), upper_layers()
    files: dict[str, bytes] = {}
    manifest = []
    for name, config in SHAPES.items():
        layers = [base, *upper] if name.startswith("shape/layers") else [base]
        day = 1 if name.startswith("busybox") else len(manifest)
        manifest.append(_image(files, name, config, layers, CREATED.format(day=day)))
    _merge_same(manifest)
    files["manifest.json"] = json.dumps(manifest).encode()
    archive = folder / "images.tar"
    archive.write_bytes(_tar([(name, tarfile.REGTYPE, data, 0o644) for name, data in files.items()]))
    _other_files(folder, base)
    return archive, {hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "manifest.json"}


def _image(
    files: dict[str, bytes], name: str, config: dict[str, Any], layers: list[bytes], created: str
) -> dict[str, Any]:
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    document = json.dumps({
        "architecture": "amd64", "os": "linux", "created": created, "config": {"Env": [PATH], **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created": created, "created_by": f"/bin/sh -c #(nop) ADD layer {n}"} for n in range(len(layers))],
    }).encode()  # fmt: skip
    ident = hashlib.sha256(document).hexdigest()
    files[f"{ident}.json"] = document
    files.update({f"{digest}/layer.tar": layer for digest, layer in zip(digests, layers, strict=True)})
    names = [f"{digest}/layer.tar" for digest in digests]
    return {"Config": f"{ident}.json", "RepoTags": [name], "Layers": names}


def _merge_same(manifest: list[dict[str, Any]]) -> None:
    """Two names of one image become one entry, as `docker save` writes them."""
    by_config: dict[str, dict[str, Any]] = {}
    for entry in manifest:
        by_config.setdefault(entry["Config"], {**entry, "RepoTags": []})["RepoTags"] += entry["RepoTags"]
    manifest[:] = by_config.values()


def _other_files(folder: Path, base: bytes) -> None:
    (folder / "rootfs.tar").write_bytes(base)
    (folder / "broken.tar").write_bytes(b"this is no tar\n" * 200)
    (folder / "empty.tar").write_bytes(_tar([]))
    (folder / "env").write_text("# names\nFROM_FILE=1\n\nOTHER=two words\n")
    (folder / "bad-env").write_text("with space=1\n")
    (folder / "labels").write_text("from-file=yes\n")
    (folder / "seccomp.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": '
                                         '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}')  # fmt: skip
    (folder / "mounted").mkdir()
    (folder / "mounted/file").write_text("from the host\n")
