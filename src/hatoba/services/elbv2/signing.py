"""The keys of load balancers whose rules authenticate: made with the first such rule, and published as on AWS.

`GET /_hatoba/elb-public-keys/<region>/<key id>` answers the public key as PEM, for whoever verifies `x-amzn-oidc-data`:
what AWS has at `https://public-keys.auth.elb.<region>.amazonaws.com/<key id>`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hatoba.core.ids import Ids
from hatoba.core.keys import Key
from hatoba.core.secret import Secret
from hatoba.gateway.call import Call, Platform
from hatoba.gateway.http import Handler, Request, Response
from hatoba.gateway.own import PREFIX
from hatoba.services.elbv2.model.authentication import Signer, signers
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.store import Tx

PAGES = "elb-public-keys/"


def ensure(tx: Tx, call: Call, balancer: LoadBalancer) -> None:
    """Its keys are there."""
    where = signers.key(balancer.scope, balancer.id)
    if tx.get(signers, where) is None:
        tx.put(signers, _made(where, call.ids))


def _made(where: Key, ids: Ids) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Signer(
        key=where,
        kid=ids.uuid(),
        public=public.decode(),
        signing=Secret(private.decode()),
        session=Secret(ids.hex(64)),
    )


def public_keys(platform: Platform) -> Handler:
    async def answer(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _plain(405, "Only GET is answered here.", allow="GET, HEAD")
        region, _, kid = request.path.removeprefix(PREFIX + PAGES).partition("/")
        for signer in platform.store.index(signers, "kid", kid):
            if signer.key.region == region:
                return _plain(200, signer.public)
        return _plain(404, "There is no key with this id.")

    return answer


def _plain(status: int, text: str, **headers: str) -> Response:
    told = {"content-type": "text/plain; charset=utf-8", **headers}
    return Response(status=status, headers=told, body=text.encode())
