"""One repository at one registry: its manifests and blobs, with whatever credentials the registry asks for."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from hatoba.core.errors import PortError
from hatoba.runtime.base import ImageSource
from hatoba.runtime.distribution import challenge as challenges
from hatoba.runtime.distribution import http, manifest
from hatoba.runtime.failures import Failure, failure

_CODES = {
    401: Failure.IMAGE_AUTH,
    403: Failure.IMAGE_AUTH,
    404: Failure.IMAGE_NOT_FOUND,
    429: Failure.IMAGE_THROTTLED,
}


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct, frozen=True):
    errors: tuple[_Error, ...] = ()


class Repository:
    """Remembers how it was let in; made for one pull."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source
        self._base = f"{source.scheme}://{source.host}/v2/{source.repository}"
        self._authorization = ""
        self._loopback = http.on_this_machine(source.host)
        self._tls: ssl.SSLContext | None = None
        if source.scheme == "https":
            self._tls = ssl.create_default_context()
            if source.ca_file:
                try:
                    self._tls.load_verify_locations(cafile=source.ca_file)
                except OSError as error:
                    raise failure(Failure.IMAGE_NETWORK, f"{source.ca_file}: {error}") from error

    async def manifest(self, reference: str) -> tuple[bytes, str, str]:
        """Content, media type and digest of a tag or digest. The content is checked against the digest."""
        async with self._get(f"manifests/{reference}", {"Accept": manifest.ACCEPT}) as response:
            content = await response.whole()
            media_type = response.headers.get("content-type", "")
        found = manifest.digest(content)
        if ":" in reference and reference.startswith("sha256:") and found != reference:
            raise failure(Failure.IMAGE_MANIFEST, f"{reference} has the content of {found}")
        return content, media_type, found

    @asynccontextmanager
    async def blob(self, digest: str, offset: int = 0) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """The chunks of a blob and where they start: at `offset`, or at 0 when the registry knows no ranges."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with self._get(f"blobs/{digest}", headers) as response:
            yield (offset if response.status == 206 else 0), response.chunks()

    async def small_blob(self, digest: str) -> bytes:
        """A blob that is a document, whole; checked."""
        async with self._get(f"blobs/{digest}", {}) as response:
            content = await response.whole()
        if manifest.digest(content) != digest:
            raise failure(Failure.IMAGE_MANIFEST, f"{digest} has other content")
        return content

    @asynccontextmanager
    async def _get(self, path: str, headers: dict[str, str]) -> AsyncIterator[http.Response]:
        url = f"{self._base}/{path}"
        wanted = ""
        for attempt in (1, 2):
            sent = headers | ({"Authorization": self._authorization} if self._authorization else {})
            async with http.get(url, sent, self._tls, loopback=self._loopback) as response:
                if response.status in (200, 206):
                    yield response
                    return
                wanted = response.headers.get("www-authenticate", "")
                if response.status != 401 or not wanted or attempt == 2:
                    raise await self._refusal(response)
            self._authorization = await self._authorize(wanted)

    async def _authorize(self, header: str) -> str:
        asked = challenges.parse(header)
        credentials = self._source.credentials
        if asked is None:
            raise failure(Failure.IMAGE_AUTH, f"{self._source.host} asks for {header}, which is not supported")
        if asked.scheme == "basic":
            if credentials is None:
                raise failure(Failure.IMAGE_AUTH, f"{self._source.name}: no basic auth credentials")
            return challenges.basic(credentials)
        headers = {"Authorization": challenges.basic(credentials)} if credentials else {}
        where = challenges.token_url(asked, self._source.repository)
        async with http.get(where, headers, self._tls, loopback=self._loopback) as response:
            if response.status != 200:
                raise await self._refusal(response)
            body = await response.whole()
        try:
            answer = msgspec.json.decode(body, type=_Token)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise failure(Failure.IMAGE_AUTH, f"{asked.realm}: not a token: {error}") from error
        return f"Bearer {answer.token or answer.access_token}"

    async def _refusal(self, response: http.Response) -> PortError:
        """The registry's own words, under the kind of failure its status stands for."""
        try:
            errors = msgspec.json.decode(await response.whole(), type=_Errors).errors
            said = "; ".join(f"{error.code}: {error.message}" for error in errors)
        except (msgspec.MsgspecError, PortError, RecursionError):
            said = ""
        code = _CODES.get(response.status, Failure.IMAGE_NETWORK)
        return failure(code, f"{self._source.name}: {said or f'{response.url} answers {response.status}'}")
