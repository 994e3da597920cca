"""Image references as users write them → where the node fetches them.

web, library/web:1        the public registry of Docker, as `docker pull` reads it
localhost:4566/web:1      the platform's own registry, under any of the names it is known by
<account>.dkr.ecr.<region>.amazonaws.com/web:1    the platform's own registry as well
registry.example/web@sha256:…
"""

from __future__ import annotations

import re
from typing import Literal

from hatoba.core.records import replace
from hatoba.fleet.model import ImageWanted

_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_DOCKER = "registry-1.docker.io"


def image(reference: str, own: tuple[str, ...], digest: str = "") -> ImageWanted:
    """`own`: the hosts that mean the platform's own registry; `digest`: what the tag is known to have meant."""
    found = _image(reference, own)
    return replace(found, reference=digest) if digest else found


def _image(reference: str, own: tuple[str, ...]) -> ImageWanted:
    host, slash, rest = reference.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = "", reference
    name, tag = _split(rest)
    if (ecr := _ECR.fullmatch(host)) is not None:
        return ImageWanted(name=reference, repository=f"{ecr[1]}/{ecr[2]}/{name}", reference=tag)
    if host in own:
        return ImageWanted(name=reference, repository=name, reference=tag)
    if host in ("", "docker.io", "index.docker.io"):
        repository = name if "/" in name else f"library/{name}"
        return ImageWanted(name=reference, host=_DOCKER, repository=repository, reference=tag)
    return ImageWanted(name=reference, host=host, repository=name, reference=tag, scheme=_scheme(host))


def _split(rest: str) -> tuple[str, str]:
    """Repository, and the digest, the tag or `latest`."""
    name, at, digest = rest.partition("@")
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        path, tag = name, "latest"
    return path, digest if at else tag


def _scheme(host: str) -> Literal["http", "https"]:
    # As every client has it: plain HTTP on loopback.
    return "http" if host.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
