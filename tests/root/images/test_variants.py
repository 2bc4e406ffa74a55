"""The manifests behind an image's names: its index with other platforms and attestations, as the list of 1.47 tells."""

import gzip
import hashlib
import json
from functools import partial
from typing import Any

from dockwright.grammar import reference
from dockwright.images import blobrows, store
from dockwright.images.archive import Found

OCI = "application/vnd.oci.image"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def described(data: bytes, kind: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": f"{OCI}.{kind}", "digest": digest(data), "size": len(data), **more}


async def pulled(manager: Any, images: Any) -> tuple[str, dict[str, bytes]]:
    """An image as a pull of an index leaves it."""
    content, layer = manager._loader._content, images.tar([("f", b"0", b"x" * 500, 0o644)])
    packed = gzip.compress(layer, 1, mtime=0)
    rootfs = {"type": "layers", "diff_ids": [digest(layer)]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "config": described(config, "config.v1+json"), "layers": [described(packed, "layer.v1.tar+gzip")],
    }).encode()  # fmt: skip
    proof = json.dumps({"schemaVersion": 2, "config": described(b"{}", "config.v1+json"), "layers": []}).encode()
    notes = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest(manifest)}
    unknown = {"architecture": "unknown", "os": "unknown"}
    index = json.dumps({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [
        described(manifest, "manifest.v1+json", platform={"architecture": "amd64", "os": "linux"}),
        described(b"elsewhere", "manifest.v1+json", platform={"architecture": "arm64", "os": "linux", "variant": "v8"}),
        described(proof, "manifest.v1+json", platform=unknown, annotations=notes),
    ]}).encode()  # fmt: skip
    ingest = content.ingest()
    found = Found(ingest.write([config]), [ingest.write([packed])], [reference.parse("a:1")], ingest.write([manifest]))
    ident = (await manager._loader.make(found)).id

    def naming(connection: Any, image: str) -> None:
        store.set_tag(connection, "docker.io/library/a:1", image, digest(index))
        blobrows.add_children(connection, digest(index), [digest(proof)])

    await manager._loader.keep([ingest.write([index]), ingest.write([proof])], naming, ident)
    ingest.close()
    return ident, {"manifest": manifest, "proof": proof, "config": config, "packed": packed}


def test_an_index_is_told_with_all_it_names(overlay: Any, images: Any) -> None:
    async def work(manager: Any) -> tuple[Any, dict[str, bytes]]:
        _, made = await pulled(manager, images)
        (row,) = await manager.list(all=False, filters={}, shared_size=False, manifests=True)
        assert "Manifests" not in (await manager.list(all=False, filters={}, shared_size=False))[0]
        return row["Manifests"], made

    (own, other, proof), made = overlay.run(work)
    stored = sum(len(made[name]) for name in ("manifest", "config", "packed"))
    assert own["ID"] == own["Descriptor"]["digest"] == digest(made["manifest"])
    assert (own["Kind"], own["Available"], own["Size"]) == ("image", True, {"Content": stored, "Total": stored + 500})
    assert own["ImageData"] == {
        "Platform": {"architecture": "amd64", "os": "linux"}, "Containers": [], "Size": {"Unpacked": 500},
    }  # fmt: skip
    assert (other["Kind"], other["Available"], other["Size"]) == ("image", False, {"Content": 0, "Total": 0})
    assert other["ImageData"]["Platform"] == {"architecture": "arm64", "os": "linux", "variant": "v8"}
    assert proof["Kind"] == "attestation" and proof["AttestationData"] == {"For": digest(made["manifest"])}
    assert "ImageData" not in proof and proof["Size"]["Content"] == len(made["proof"])


def test_an_image_without_an_index(overlay: Any, images: Any) -> None:
    overlay.load(images.docker_archive([images.tar([("f", b"0", b"x", 0o644)])], ["plain:1"]))
    (row,) = overlay.run(partial(_listed))
    assert row["Manifests"] == []


async def _listed(manager: Any) -> Any:
    return await manager.list(all=False, filters={}, shared_size=False, manifests=True)
