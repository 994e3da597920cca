"""The keys that AWS manages for its services: `alias/aws/ssm` and its like, one for each account and region.

They are made when they are first spoken of, as on AWS, and turn every year by themselves.
"""

from __future__ import annotations

from hatoba.gateway.call import Call
from hatoba.services.kms import model
from hatoba.services.kms.model import DAY, Alias, KmsKey, Rotation
from hatoba.services.kms.plan import policies
from hatoba.services.kms.plan.naming import AWS
from hatoba.services.kms.plan.specs import SYMMETRIC

YEAR = 365

_DESCRIPTIONS = {
    "acm": "Default key that protects my ACM private keys when no other key is defined",
    "ebs": "Default key that protects my EBS volumes when no other key is defined",
    "ecr": "Default key that protects my ECR repositories when no other key is defined",
    "elasticfilesystem": "Default key that protects my EFS file systems when no other key is defined",
    "lambda": "Default key that protects my Lambda functions when no other key is defined",
    "logs": "Default key that protects my log groups when no other key is defined",
    "rds": "Default key that protects my RDS database volumes when no other key is defined",
    "s3": "Default key that protects my S3 objects when no other key is defined",
    "secretsmanager": "Default key that protects my Secrets Manager data when no other key is defined",
    "sns": "Default key that protects my SNS data when no other key is defined",
    "sqs": "Default key that protects my SQS messages when no other key is defined",
    "ssm": "Default key that protects my SSM parameters when no other key is defined",
    "xray": "Default key that protects my X-Ray data when no other key is defined",
}
NAMES = tuple(f"{AWS}{service}" for service in _DESCRIPTIONS)


def ensure(call: Call, alias: str) -> KmsKey:
    """The key behind an alias of `NAMES`."""
    found = call.store.find(model.aliases, call.scope, alias)
    if found is not None:
        key = model.find_key(call.store, call.scope, found.target)
        assert key is not None, alias  # these are never deleted
        return key
    service, now = alias.removeprefix(AWS), call.now
    key = KmsKey(
        key=model.keys.key(call.scope, call.ids.uuid()),
        created=now,
        spec=SYMMETRIC,
        usage="ENCRYPT_DECRYPT",
        state="Enabled",
        manager="AWS",
        description=_DESCRIPTIONS[service],
        policy=policies.managed(call.scope, service),
        material=(model.new_material(call.ids, bytes.fromhex(call.ids.hex(64)), since=now),),
        rotation=Rotation(days=YEAR, next=now + YEAR * DAY),
    )
    with call.tx() as tx:
        tx.put(
            model.aliases,
            Alias(key=model.aliases.key(call.scope, alias), target=key.id, created=now, updated=now),
        )
        return tx.put(model.keys, key)
