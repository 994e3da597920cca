"""CPU of the control plane's process per request that reads or writes a secret: verified, decrypted, durable.

    python -m bench.secrets [--requests N]

A process with KMS, Parameter Store and Secrets Manager behind the real gateway is started; this one sends requests that
were signed before, one after the other. A SecureString is decrypted by KMS for each read, and so is the data key of a
secret: nothing is kept in clear between two requests. The median of several rounds, in milliseconds per request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.rows import report
from bench.wire import Cost, Keys, ask, cost, signed

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
TARGETS = {"ssm": "AmazonSSM", "secretsmanager": "secretsmanager", "kms": "TrentService"}
PROMISED, WRITES = 0.3, 1.0  # ms of CPU


# --- the server


def serve(folder: Path) -> None:
    import uvloop

    logging.basicConfig(level=logging.WARNING)
    uvloop.run(_serve(folder))


async def _serve(folder: Path) -> None:
    from hatoba.aws.sigv4 import Credential
    from hatoba.core.clock import SystemClock
    from hatoba.core.ids import RandomIds
    from hatoba.core.pages import Pager
    from hatoba.core.secret import Sealer
    from hatoba.gateway import access
    from hatoba.gateway.front import front
    from hatoba.gateway.http import Request, Response, Server
    from hatoba.gateway.idempotency import idempotent
    from hatoba.gateway.plane import ControlPlane
    from hatoba.gateway.tags import tags
    from hatoba.services.iam import model as iam_model
    from hatoba.services.iam.authorizer import PolicyAuthorizer
    from hatoba.services.kms import model as kms_model
    from hatoba.services.kms.api import kms
    from hatoba.services.secretsmanager import model as secretsmanager_model
    from hatoba.services.secretsmanager.api import secretsmanager
    from hatoba.services.ssm import model as ssm_model
    from hatoba.services.ssm.api import ssm
    from hatoba.store import Store
    from hatoba.store.sqlite import SqliteJournal

    async def nothing(request: Request) -> Response:
        return Response(body=b"{}")

    sealer = Sealer.from_file(folder / "key")
    tables = (*kms_model.TABLES, *ssm_model.TABLES, *secretsmanager_model.TABLES, *iam_model.TABLES, tags, idempotent)
    store = Store(SqliteJournal(folder / "journal.db"), tables, sealer)
    store.open()
    root = access.root("aws", "123456789012", KEYS.id)
    plane = ControlPlane(
        store=store,
        clock=SystemClock(),
        ids=RandomIds(),
        pager=Pager(sealer),
        rooms=[kms, ssm, secretsmanager],
        identities=access.KnownKeys(Credential(access_key_id=KEYS.id, secret=KEYS.secret, principal=root)),
        authorizer=PolicyAuthorizer(store),
    )
    server = Server(front(aws=plane.path, registry=None, own_paths=nothing))
    print(await server.listen("127.0.0.1", 0), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.close(1)
    store.close()


# --- the client


def request(port: int, service: str, operation: str, **members: object) -> bytes:
    return signed(port, KEYS, service, f"{TARGETS[service]}.{operation}", json.dumps(members).encode())


def measure(requests: int) -> dict[str, Cost]:
    found: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.secrets", "--serve", folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            with socket.create_connection(("127.0.0.1", port)) as wire:
                for name, sent in cases(port, wire).items():
                    found[name] = cost(server.pid, wire, sent, requests if "Put" not in name else requests // 4)
            server.communicate()
    return found


def cases(port: int, wire: socket.socket) -> dict[str, bytes]:
    put = {"Name": "/app/password", "Value": "hunter2" * 5, "Type": "SecureString"}
    ask(wire, request(port, "ssm", "PutParameter", **put))
    ask(wire, request(port, "ssm", "PutParameter", **put | {"Name": "/app/host", "Type": "String"}))
    value = {"SecretString": '{"user": "app", "password": "hunter2"}'}
    ask(wire, request(port, "secretsmanager", "CreateSecret", Name="db", **value, ClientRequestToken="a" * 32))
    answer = ask(wire, request(port, "kms", "CreateKey"))
    key = json.loads(answer[answer.index(b"\r\n\r\n") :])["KeyMetadata"]["KeyId"]
    return {
        "GetParameter, String": request(port, "ssm", "GetParameter", Name="/app/host"),
        "GetParameter, SecureString": request(port, "ssm", "GetParameter", Name="/app/password", WithDecryption=True),
        "GetSecretValue": request(port, "secretsmanager", "GetSecretValue", SecretId="db"),
        "GenerateDataKey": request(port, "kms", "GenerateDataKey", KeyId=key, KeySpec="AES_256"),
        "PutParameter, SecureString": request(port, "ssm", "PutParameter", **put, Overwrite=True),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=2000)
    arguments.add_argument("--serve", type=Path)
    given = arguments.parse_args()
    if given.serve:
        serve(given.serve)
        return
    for name, (cpu, _) in measure(given.requests).items():
        report(f"CPU of one {name}", cpu * 1e3, "ms", at_most=WRITES if "Put" in name else PROMISED)


if __name__ == "__main__":
    main()
