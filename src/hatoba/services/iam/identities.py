"""Access keys of users, for the gateway's signature check."""

from __future__ import annotations

from hatoba.aws.sigv4 import Credential
from hatoba.gateway.call import Principal
from hatoba.services.iam.model import USER, access_keys, users
from hatoba.store import Store


class UserKeys:
    """Implements `gateway.access.Identities`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, access_key_id: str) -> Credential | None:
        for key in self._store.index(access_keys, "id", access_key_id):
            user = self._store.find(users, key.scope, key.user.lower())
            if user is None or key.status != "Active":
                return None
            principal = Principal(
                kind="user", account=key.key.account, arn=USER.arn(user), id=user.unique, access_key=access_key_id
            )
            return Credential(access_key_id=access_key_id, secret=key.secret.reveal(), principal=principal)
        return None
