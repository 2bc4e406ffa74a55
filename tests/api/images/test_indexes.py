"""Images behind an index, by the real programs: `image attestations`, `images --tree`, `save` and `load --platform`."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from dockwright.images import platforms

OURS = str(Path(__file__).parents[3] / ".venv/bin/dockwright")
OCI, NAME = "application/vnd.oci.image", "attested:1"
KINDS = ("https://slsa.dev/provenance/v0.2", "https://spdx.dev/Document")


def archive(images: Any) -> bytes:
    """An OCI layout as a build tool writes it: one image, and an attestation manifest of two statements."""
    blobs: dict[str, bytes] = {}

    def put(data: bytes, kind: str, **more: Any) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data), **more}

    def document(kind: str, **fields: Any) -> bytes:
        return json.dumps({"schemaVersion": 2, "mediaType": f"{OCI}.{kind}", **fields}).encode()

    own = {"os": "linux", "architecture": platforms.host().architecture}
    layer = put(images.tar([("f", tarfile.REGTYPE, b"x", 0o644)]), f"{OCI}.layer.v1.tar")
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = put(json.dumps({**own, "rootfs": rootfs}).encode(), f"{OCI}.config.v1+json")
    manifest = put(document("manifest.v1+json", config=config, layers=[layer]), f"{OCI}.manifest.v1+json", platform=own)
    statements = [
        put(json.dumps({"predicateType": kind, "subject": [{"name": NAME}], "predicate": {}}).encode(),
            "application/vnd.in-toto+json", annotations={"in-toto.io/predicate-type": kind})
        for kind in KINDS
    ]  # fmt: skip
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": manifest["digest"]}
    proof = put(
        document("manifest.v1+json", config=put(b"{}", f"{OCI}.config.v1+json"), layers=statements), f"{OCI}.manifest.v1+json",
        platform={"os": "unknown", "architecture": "unknown"}, annotations=about,
    )  # fmt: skip
    index = put(
        document("index.v1+json", manifests=[manifest, proof]), f"{OCI}.index.v1+json",
        annotations={"io.containerd.image.name": f"docker.io/library/{NAME}"},
    )  # fmt: skip
    members = [(f"blobs/sha256/{digest}", tarfile.REGTYPE, data, 0o644) for digest, data in blobs.items()]
    top = document("index.v1+json", manifests=[index])
    return bytes(images.tar([*members, ("index.json", tarfile.REGTYPE, top, 0o644)]))


def asked(daemon: Any, *words: str) -> str:
    done = subprocess.run(
        [OURS, "-H", daemon.host, "image", "attestations", *words], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else done.stderr


def test_attestations(daemon: Any, images: Any) -> None:
    loaded = daemon.docker("load", stdin=archive(images))
    assert loaded.stdout == f"Loaded image: {NAME}\n".encode(), loaded
    lines = [line.split() for line in asked(daemon, NAME).splitlines()]
    assert lines[0] == ["PREDICATE", "TYPE", "SUBJECT", "SIZE", "DIGEST"]
    assert [line[:2] for line in lines[1:]] == [[kind, NAME] for kind in KINDS]
    assert asked(daemon, "--type", KINDS[1], "--format", "{{.PredicateType}}", NAME) == f"{KINDS[1]}\n"
    assert json.loads(asked(daemon, "--format", "json", "--type", KINDS[0], NAME))["PredicateType"] == KINDS[0]
    (statement,) = asked(daemon, "--statement", "--type", KINDS[0], NAME).splitlines()
    assert json.loads(statement)["subject"] == [{"name": NAME}]
    assert "no matching manifest for linux/riscv64" in asked(daemon, "--platform", "linux/riscv64", NAME)
    assert "No such image: nope:latest" in asked(daemon, "nope")
    path = f"http://d/images/{NAME}/attestations?platform=a&platform=b"
    twice = subprocess.run(["curl", "-s", "--unix-socket", daemon.host[7:], path], capture_output=True, text=True, check=True)
    assert json.loads(twice.stdout) == {"message": "only one platform value is currently supported"}
    assert daemon.docker("rmi", NAME).returncode == 0


def test_a_tree(daemon: Any, images: Any) -> None:
    assert daemon.docker("load", stdin=archive(images)).returncode == 0
    tree = [OURS, "-H", daemon.host, "images", "--tree", NAME]
    shown = subprocess.run(tree, capture_output=True, text=True, check=True)
    head, own, platform = shown.stdout.splitlines()
    assert head.split() == ["IMAGE", "ID", "DISK", "USAGE", "CONTENT", "SIZE", "EXTRA"] and own.split()[0] == NAME
    assert platform.startswith(f"└─ linux/{platforms.host().architecture} ")
    assert shown.stderr.startswith("WARNING: This is an experimental feature.")
    quiet = subprocess.run([*tree, "-q"], capture_output=True, text=True, check=False)
    assert (quiet.returncode, quiet.stderr) == (1, "--quiet is not yet supported with --tree\n")
    assert daemon.docker("rmi", NAME).returncode == 0


def test_one_platform(daemon: Any, images: Any, tmp_path: Path) -> None:
    def ours(*words: str) -> tuple[int, str]:
        done = subprocess.run([OURS, "-H", daemon.host, *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    path, own = tmp_path / "a.tar", f"linux/{platforms.host().architecture}"
    path.write_bytes(archive(images))
    assert ours("load", "--platform", own, "-i", str(path)) == (0, f"Loaded image: {NAME}\n")
    assert ours("image", "attestations", "--format", "{{.For}}", NAME) == (0, "")  # the image alone
    status, text = ours("load", "--platform", "linux/riscv64", "-i", str(path))
    assert status == 1 and "linux/riscv64" in text
    assert ours("save", "--platform", own, "-o", str(tmp_path / "b.tar"), NAME) == (0, "")
    status, text = ours("save", "--platform", "linux/riscv64", "-o", str(tmp_path / "c.tar"), NAME)
    assert (status, text) == (1, (
        f"Error response from daemon: image with reference {NAME} was found but does not provide the specified platform "
        "(linux/riscv64)\n"
    )) and not (tmp_path / "c.tar").exists()  # fmt: skip
    assert ours("load", "--platform", f"{own},linux/s390x", "-i", str(path)) == (1, "only one platform can be given\n")
    assert daemon.docker("rmi", NAME).returncode == 0
