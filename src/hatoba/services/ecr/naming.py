"""A repository's names: what clients are told to push to, and which repository they mean when they do.

localhost:4566/app                                  the default account and region
localhost:4566/210987654321/eu-west-1/app           any other
210987654321.dkr.ecr.eu-west-1.amazonaws.com/app    with `ecr_uri_style = aws`, and understood in any case
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.gateway.routing import partition

_REGION = r"[a-z]{2,3}(?:-[a-z]+)+-\d"
_PREFIXED = re.compile(rf"(\d{{12}})/({_REGION})/(.+)")
_AWS_HOST = re.compile(rf"(\d{{12}})\.dkr\.ecr\.({_REGION})\.amazonaws\.com(?:\.cn)?(?::\d+)?")


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """How this instance names its registry. `endpoint` is host and port, as clients on this machine reach it."""

    endpoint: str
    default: Scope
    style: Literal["local", "aws"] = "local"

    def host(self, scope: Scope) -> str:
        """Where the repositories of a scope are pushed to."""
        if self.style == "local":
            return self.endpoint
        suffix = "amazonaws.com.cn" if scope.partition == "aws-cn" else "amazonaws.com"
        return f"{scope.account}.dkr.ecr.{scope.region}.{suffix}"

    def uri(self, scope: Scope, name: str) -> str:
        return f"{self.host(scope)}/{self._path(scope, name)}"

    def proxy_endpoint(self, scope: Scope) -> str:
        """What clients log in to."""
        return f"{'http' if self.style == 'local' else 'https'}://{self.host(scope)}"

    def blob_path(self, scope: Scope, name: str, digest: str) -> str:
        """The path of a blob on `endpoint`, whatever the style."""
        return f"/v2/{self._local(scope, name)}/blobs/{digest}"

    def _path(self, scope: Scope, name: str) -> str:
        return name if self.style == "aws" else self._local(scope, name)

    def _local(self, scope: Scope, name: str) -> str:
        return name if scope == self.default else f"{scope.account}/{scope.region}/{name}"

    def resolve(self, host: str, path: str) -> tuple[Scope, str]:
        """The scope and the name of the repository that a client at `host` calls `path`."""
        match = _AWS_HOST.fullmatch(host)
        if match is not None:
            return _scope(match[1], match[2]), path
        match = _PREFIXED.fullmatch(path)
        return (_scope(match[1], match[2]), match[3]) if match is not None else (self.default, path)


def _scope(account: str, region: str) -> Scope:
    return Scope(partition(region), account, region)


def is_prefixed(name: str) -> bool:
    """Whether a repository's name would be read as another account's."""
    return _PREFIXED.fullmatch(name) is not None
