"""Every setting of Hatoba, with its default. docs/settings.md is checked against this list.

A setting comes from the command line, else from the environment (`HATOBA_<NAME>`), else from `DIR/hatoba.toml`, else it
has its default.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from hatoba.core.errors import Refused

DEFAULT_DATA = Path("/var/lib/hatoba")
LOOPBACK = ("127.0.0.1", "::1", "localhost")

Port = Annotated[int, Meta(ge=1, le=65535)]
PortOrNone = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0)]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The docstring of each field is its documentation."""

    data: Path = DEFAULT_DATA
    host: str = "127.0.0.1"  # address of the endpoint; tasks reach it in any case
    port: Port = 4566  # port of the endpoint
    tls_port: PortOrNone = 0  # port on which the endpoint answers by TLS, too; 0: none
    tls_host: str = "127.0.0.1"  # address of that port
    tls_certificate: str = ""  # file with its certificate and those above it; "": one of the platform's own authority
    tls_key: str = ""  # file with the certificate's key; "": it is in the same file
    auth: Literal["on", "off"] = "on"  # off: any access key is root; only on a loopback address
    account: Annotated[str, Meta(pattern=r"^[0-9]{12}$")] = "123456789012"  # the default account
    region: Annotated[str, Meta(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$")] = "us-east-1"  # the default region
    node_host: str = "127.0.0.1"  # address of this machine for other nodes; on loopback there can be none
    node_port: PortOrNone = 0  # port on which nodes connect; 0: one that is free, kept from then on
    pool: str = ""  # block of the host-side addresses, a /16; "": one in 100.64.0.0/10 that is free, kept from then on
    pool6: str = ""  # block of which VPCs get IPv6 blocks, a /40; "": a free one in fd68:6174::/32, kept from then on
    bridge: str = "172.17.0.0/16"  # block of containers in the network mode bridge; known on their own node only
    ecr_uri_style: Literal["local", "aws"] = "local"  # what repositoryUri looks like
    metadata_file: Literal["on", "off"] = "off"  # containers on instances find ECS_CONTAINER_METADATA_FILE
    task_endpoint: Literal["on", "off"] = "on"  # tasks find AWS_ENDPOINT_URL in their environment (with auth only)
    stopped_tasks_kept: Seconds = 7 * 24 * 3600.0  # seconds for which stopped tasks stay visible
    audit_kept: Seconds = 90 * 24 * 3600.0  # seconds for which it can be looked up who did what
    audit_bytes: Annotated[int, Meta(ge=0)] = 2_000_000_000  # disk that the audit trail may use; the oldest goes first
    oidc_loopback: Literal["on", "off"] = "off"  # identity providers on this machine's loopback addresses are asked
    elb_log_period: Seconds = 300.0  # seconds after which what load balancers note becomes files, and is delivered
    node_lease: Annotated[float, Meta(gt=0)] = 20.0  # seconds of silence after which a node is lost
    log_level: Level = "INFO"

    @property
    def several_nodes(self) -> bool:
        """Other machines may join."""
        return self.node_host not in LOOPBACK

    @property
    def endpoint_for_nodes(self) -> str:
        """Where nodes reach the endpoint: they pull images from its registry."""
        return self.node_host if self.several_nodes else self.host

    @property
    def address_for_nodes(self) -> str | None:
        """Where tasks of other machines ask the platform, if that is an address of IPv4."""
        try:
            found = IPv4Address(self.node_host)
        except AddressValueError:
            return None
        return str(found) if self.several_nodes and not found.is_unspecified else None


def load(data: Path | None, given: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """`given` is the command line: what is None there was not given. Raises `Refused`."""
    folder = Path(data or environ.get("HATOBA_DATA") or DEFAULT_DATA).absolute()
    values: dict[str, Any] = {}
    file = folder / "hatoba.toml"
    if file.exists():
        try:
            values |= tomllib.loads(file.read_text())
        except tomllib.TOMLDecodeError as error:
            raise Refused(f"{file} is not valid TOML: {error}.") from None
    names = {field.name for field in msgspec.structs.fields(Settings)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise Refused(f"{file} has a setting that does not exist: {unknown[0]}.")
    values |= {name: environ[key] for name in names if (key := f"HATOBA_{name.upper()}") in environ}
    values |= {name: value for name, value in given.items() if value is not None and name in names}
    values["data"] = str(folder)
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        wrong, _, where = str(error).partition(" - at `$.")
        raise Refused(f"The setting {where.rstrip('`')} has a wrong value: {wrong}.") from None
    try:
        IPv4Network(settings.bridge)
    except ValueError:
        raise Refused(f"The bridge {settings.bridge} is not a block of addresses.") from None
    if settings.auth == "off":
        for host in (settings.host, settings.node_host, settings.tls_host):
            if host not in LOOPBACK:
                raise Refused(f"--auth off lets everybody in, so it works on a loopback address only, not on {host}.")
    _check_tls(settings)
    return settings


def _check_tls(settings: Settings) -> None:
    if settings.tls_key and not settings.tls_certificate:
        raise Refused("tls_key is the key of a certificate: say which, with tls_certificate.")
    if settings.tls_certificate and not settings.tls_port:
        raise Refused("tls_certificate is shown on tls_port: say which.")
    if settings.tls_port == settings.port:
        raise Refused(f"Port {settings.port} is the endpoint's own: tls_port has to be another one.")


def _path(type_: type, value: Any) -> Any:
    if type_ is Path:
        return Path(value)
    raise NotImplementedError(type_.__name__)
