"""A small OpenID provider on loopback: HTTPS with a certificate of its own authority, and issuers by their paths."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

WELL_KNOWN = "/.well-known/openid-configuration"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGE = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwks(kid: str = "one") -> dict[str, Any]:
    numbers = KEY.public_key().public_numbers()
    sizes = (numbers.n.bit_length() + 7) // 8
    key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid}
    return {"keys": [{**key, "n": text(numbers.n.to_bytes(sizes, "big")), "e": "AQAB"}]}


def token(claims: dict[str, Any], key: rsa.RSAPrivateKey = KEY, kid: str = "one") -> str:
    parts = ({"alg": "RS256", "typ": "JWT", "kid": kid}, claims)
    signed = ".".join(text(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{text(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class Provider:
    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.thumbprint = _certificates(folder)
        context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                status, body, headers = provider.answers.get(self.path, (404, b"", {}))
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                return  # whoever does not trust the certificate hangs up

        self.server = Quiet(("localhost", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"localhost:{self.server.server_port}"

    def issuer(self, name: str, **configuration: Any) -> str:
        """The URL of an issuer that answers as it should, but for what is said of its configuration."""
        url = f"https://{self.host}/{name}"
        said = {"issuer": url, "jwks_uri": f"{url}/keys", **configuration}
        self.answer(f"/{name}{WELL_KNOWN}", json.dumps(said).encode())
        self.answer(f"/{name}/keys", json.dumps(jwks()).encode())
        return url

    def answer(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        self.answers[path] = (status, body, headers)


def _certificates(folder: Path) -> str:
    """Writes a chain for localhost; the SHA-1 of its authority's certificate."""
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = datetime.datetime.now(datetime.UTC)
    top = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of its own")])

    def signed(name: x509.Name, key: Any, *extensions: x509.ExtensionType) -> x509.Certificate:
        made = x509.CertificateBuilder(top, name, key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        for extension in extensions:
            made = made.add_extension(extension, critical=False)
        return made.sign(authority, hashes.SHA256())

    first = signed(top, authority, x509.BasicConstraints(ca=True, path_length=None))
    leaf = signed(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
        own,
        x509.SubjectAlternativeName([x509.DNSName("localhost")]),
    )
    pem = serialization.Encoding.PEM
    (folder / "chain.pem").write_bytes(leaf.public_bytes(pem) + first.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return hashlib.sha1(first.public_bytes(serialization.Encoding.DER), usedforsecurity=False).hexdigest()


@contextmanager
def provided(folder: Path) -> Iterator[Provider]:
    provider = Provider(folder)
    thread = threading.Thread(target=provider.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        thread.join(10)
