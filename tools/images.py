"""Small container images from what the machine has: a busybox (Debian's `busybox-static`) and a few files.

No public registry can be assumed, so tests, benchmarks and examples build what they run. The result is an OCI image
layout, which skopeo pushes. (Debian's static busybox dies in `wget`, whose resolver wants shared libraries: use `nc`.)
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
APPLETS = """
    sh ash cat cp date dd df du echo env false grep head hostname httpd id ip kill ls mkdir nc nslookup ping printf ps
    pwd rm sed seq sleep stat tail tee test timeout top touch tr true trap uname vi wc which xargs yes
""".split()
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}


def busybox_files(extra: Mapping[str, str] | None = None) -> dict[str, bytes | str]:
    """A root file system: path → bytes of a file, or the text of one. Links are `"-> target"`."""
    files: dict[str, bytes | str] = {"bin/busybox": BUSYBOX.read_bytes()}
    files |= {f"bin/{applet}": "-> busybox" for applet in APPLETS}
    files |= {
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
        "etc/group": "root:x:0:\nnogroup:x:65534:\n",
        "tmp/.keep": "",
        "root/.keep": "",
    }
    return files | dict(extra or {})


def _layer(files: Mapping[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in sorted({str(p) for path in files for p in Path(path).parents if str(p) != "."}):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(info)
        for path, content in sorted(files.items()):
            info = tarfile.TarInfo(path)
            if isinstance(content, str) and content.startswith("-> "):
                info.type, info.linkname = tarfile.SYMTYPE, content[3:]
                archive.addfile(info)
                continue
            data = content.encode() if isinstance(content, str) else content
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def write_layout(
    folder: Path,
    files: Mapping[str, bytes | str],
    *,
    command: Sequence[str] = ("/bin/sh",),
    entrypoint: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    ports: Sequence[int] = (),
    tag: str = "latest",
) -> Path:
    """An OCI image layout in `folder`; the same input gives the same digests."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    layer = _layer(files)
    config = {
        "architecture": _ARCHITECTURE.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "Cmd": list(command),
            "Entrypoint": list(entrypoint) or None,
            "Env": ["PATH=/bin", *(f"{name}={value}" for name, value in (environment or {}).items())],
            "ExposedPorts": {f"{port}/tcp": {} for port in ports},
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    oci = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{oci}.manifest.v1+json",
        "config": {"mediaType": f"{oci}.config.v1+json", **blob(json.dumps(config).encode())},
        "layers": [{"mediaType": f"{oci}.layer.v1.tar+gzip", **blob(gzip.compress(layer, 6, mtime=0))}],
    }
    named = {
        "mediaType": manifest["mediaType"],
        **blob(json.dumps(manifest).encode()),
        "annotations": {"org.opencontainers.image.ref.name": tag},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder
