"""A client of the distribution API for tests: speaks to the engine without a network, as a server would hand it on."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from hatoba.registry import manifests, names
from hatoba.registry.engine import Engine
from hatoba.registry.messages import FileSlice, Request
from hatoba.registry.names import Digest


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        code = self.json["errors"][0]["code"]
        assert isinstance(code, str)
        return code


async def pieces(data: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


class Client:
    def __init__(
        self,
        engine: Engine,
        host: str = "localhost:4566",
        login: tuple[str, str] | None = None,
        peer: str = "127.0.0.1",
    ) -> None:
        self.engine = engine
        self.peer = peer
        self.headers = {"host": host}
        if login:
            self.headers["authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()

    async def __call__(
        self, method: str, target: str, body: bytes | AsyncIterator[bytes] = b"", **headers: str
    ) -> Answer:
        split = urlsplit(target)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            named.setdefault("content-length", str(len(body)))
        response = await self.engine.handle(
            Request(
                method=method,
                path=split.path,
                query=dict(parse_qsl(split.query, keep_blank_values=True)),
                headers={**self.headers, **named},
                body=pieces(body) if isinstance(body, bytes) else body,
                peer=self.peer,
            )
        )
        content = response.body
        if isinstance(content, FileSlice):
            with content.file as file:
                file.seek(content.offset)
                content = file.read(content.length)
        if method != "HEAD":
            assert response.headers.get("content-length", "0") == str(len(content))
        return Answer(status=response.status, headers=dict(response.headers), body=content)

    async def push_blob(self, repository: str, data: bytes) -> Digest:
        digest = names.digest_of(data)
        answer = await self("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", data)
        assert answer.status == 201, answer
        return digest

    async def push_manifest(self, repository: str, data: bytes, reference: str | None = None) -> Digest:
        digest = names.digest_of(data)
        kind = msgspec.json.decode(data)["mediaType"]
        answer = await self("PUT", f"/v2/{repository}/manifests/{reference or digest}", data, content_type=kind)
        assert answer.status == 201, answer
        return digest

    async def push_image(self, repository: str, tag: str | None, *layers: bytes, **members: object) -> Digest:
        """An image of these layers; its config is made from its tag. Returns the manifest's digest."""
        config = msgspec.json.encode({"architecture": "amd64", "os": "linux", "tag": tag})
        for content in (config, *layers):
            await self.push_blob(repository, content)
        return await self.push_manifest(repository, image(config, *layers, **members), tag)


def descriptor(data: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": names.digest_of(data), "size": len(data)}


def image(config: bytes, *content: bytes, kind: str = manifests.OCI_MANIFEST, **members: object) -> bytes:
    return msgspec.json.encode(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar+gzip") for layer in content],
            **members,
        }
    )


def index(children: Iterable[bytes], **members: object) -> bytes:
    shown = [descriptor(child, manifests.OCI_MANIFEST) for child in children]
    return msgspec.json.encode({"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": shown, **members})
