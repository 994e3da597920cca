"""Compile containerd's API stubs from the .proto files that Debian ships, into src/hatoba/runtime/stubs (git-ignored).

`make setup` calls it; it does nothing when the stubs are up to date. PyPI's `containerd` package was weighed and left:
it is years old, its generated code refuses today's protobuf, and it brings its own copies of the messages.

The files say how Go should lay out its structs (gogoproto and fieldpath options). That means nothing to Python and
would drag in two more generated packages, so these lines are taken out before compiling. Imports are moved below our
own package, so that no other package's `containerd` or `github` modules can stand in the way.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

SOURCE = Path("/usr/share/gocode/src/github.com/containerd/containerd")
PACKAGE = "hatoba/runtime/stubs"
SRC = Path(__file__).resolve().parent.parent / "src"
TARGET = SRC / PACKAGE
STAMP = TARGET / ".stamp"

PROTOS = {  # below the source → below the package
    **{
        f"api/{path}": path
        for path in (
            "types/descriptor.proto",
            "types/metrics.proto",
            "types/mount.proto",
            "types/platform.proto",
            "types/task/task.proto",
            "events/task.proto",
            "services/containers/v1/containers.proto",
            "services/content/v1/content.proto",
            "services/diff/v1/diff.proto",
            "services/events/v1/events.proto",
            "services/images/v1/images.proto",
            "services/leases/v1/leases.proto",
            "services/namespaces/v1/namespace.proto",
            "services/snapshots/v1/snapshots.proto",
            "services/tasks/v1/tasks.proto",
            "services/version/v1/version.proto",
        )
    },
    "runtime/v2/runc/options/oci.proto": "runc/options.proto",
}

_GO_ONLY = re.compile(
    r'^import weak "(?:gogoproto/|github\.com/containerd/containerd/protobuf/plugin/)[^"]*";\n'
    r"|^\s*option \((?:gogoproto|containerd\.plugin)\.[^;]*;\n"
    r"|\s*\[\(gogoproto\.[^\]]*\]",
    re.MULTILINE,
)


def plain(text: str) -> str:
    """The proto without what only Go's generator reads, its imports below our package."""
    return _GO_ONLY.sub("", text).replace('"github.com/containerd/containerd/api/', f'"{PACKAGE}/')


def fingerprint(texts: dict[str, str]) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(version("grpcio-tools").encode())
    for path, text in sorted(texts.items()):
        digest.update(f"{path}\0{text}\0".encode())
    return digest.hexdigest()


def compile_all(texts: dict[str, str], target: Path) -> None:
    """Compile into a folder of its own first: a run that is cut short leaves the old stubs as they were."""
    import grpc_tools
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".stubs-") as scratch:
        protos, out = Path(scratch, "in"), Path(scratch, "out")
        out.mkdir()
        for path, text in texts.items():
            file = protos / PACKAGE / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        well_known = Path(grpc_tools.__file__).parent / "_proto"
        files = [f"{PACKAGE}/{path}" for path in texts]
        outputs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
        code = protoc.main(["protoc", f"-I{protos}", f"-I{well_known}", *outputs, *files])
        if code:
            sys.exit(f"compile_protos: protoc failed with {code}")
        made = out / PACKAGE
        for folder in [made, *(path for path in made.rglob("*") if path.is_dir())]:
            (folder / "__init__.py").touch()
        for stub in made.rglob("*_pb2*.py*"):
            text = stub.read_text()
            if stub.name.endswith("_grpc.py") and "class " not in text:
                stub.unlink()  # messages only
            else:
                stub.write_text(f"# mypy: ignore-errors\n{text}")
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)


def main() -> None:
    if not SOURCE.is_dir():
        sys.exit(
            f"compile_protos: {SOURCE} is missing: install golang-github-containerd-containerd-dev (tools/setup.sh)"
        )
    texts = {path: plain((SOURCE / source).read_text()) for source, path in PROTOS.items()}
    wanted = fingerprint(texts)
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    compile_all(texts, TARGET)
    STAMP.write_text(wanted)
    print(f"compile_protos: {len(texts)} files from {SOURCE}")


if __name__ == "__main__":
    main()
