"""An OCI image layout on disk, made of nothing but Python: what skopeo and buildah push."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

_OCI = "application/vnd.oci.image"


def layout(folder: Path, files: dict[str, bytes]) -> Path:
    """An image with one gzipped layer for each file. The tag is `latest`."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"{_OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def as_json(value: object, kind: str) -> dict[str, Any]:
        return blob(json.dumps(value).encode(), kind)

    tars = [_tar(name, data) for name, data in files.items()]
    layers = [blob(gzip.compress(tar, mtime=0), "layer.v1.tar+gzip") for tar in tars]
    diffs = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]
    config = as_json(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}}, "config.v1+json"
    )
    manifest = as_json(
        {"schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json", "config": config, "layers": layers},
        "manifest.v1+json",
    )
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def _tar(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
