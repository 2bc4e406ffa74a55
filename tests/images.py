"""Images for tests, made from the system's static busybox: nothing is fetched."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

Entry = tuple[str, bytes, str | bytes | None, int]
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"


def tar(entries: Sequence[Entry]) -> bytes:
    """A tar of (name, type, content or link target, mode)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, content, mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, mode
            if isinstance(content, str):
                info.linkname = content
            data = content if isinstance(content, bytes) else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def busybox_layer() -> bytes:
    """The root file system of the busybox image."""
    names = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    entries: list[Entry] = [(name, tarfile.DIRTYPE, None, 0o755) for name in ("bin", "etc", "root", "tmp")]
    entries.append(("bin/busybox", tarfile.REGTYPE, Path("/bin/busybox").read_bytes(), 0o755))
    entries += [(f"bin/{name}", tarfile.SYMTYPE, "busybox", 0o777) for name in names if name != "busybox"]
    entries.append(("etc/passwd", tarfile.REGTYPE, PASSWD, 0o644))
    entries.append(("etc/group", tarfile.REGTYPE, b"root:x:0:\nnobody:x:65534:\n", 0o644))
    return tar(entries)


def docker_archive(
    layers: list[bytes],
    names: list[str],
    config: dict[str, object] | None = None,
    packed: Callable[[bytes], bytes] = lambda layer: layer,
) -> bytes:
    """What `docker save` would write of an image of these layers, each `packed`."""
    diffs = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    document = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z",
        "config": config or {"Cmd": ["sh"], "Env": ["PATH=/bin"]}, "rootfs": {"type": "layers", "diff_ids": diffs},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "ADD layer"} for _ in layers],
    }).encode()  # fmt: skip
    files = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": names, "Layers": files}]).encode()
    entries: list[Entry] = [("config.json", tarfile.REGTYPE, document, 0o644)]
    entries += [(file, tarfile.REGTYPE, packed(layer), 0o644) for file, layer in zip(files, layers, strict=True)]
    return tar([*entries, ("manifest.json", tarfile.REGTYPE, manifest, 0o644)])
