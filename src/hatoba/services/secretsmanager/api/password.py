"""GetRandomPassword."""

from __future__ import annotations

from hatoba.aws.shapes import secretsmanager as t
from hatoba.gateway.call import Call
from hatoba.services.secretsmanager.api.room import secretsmanager
from hatoba.services.secretsmanager.plan import passwords
from hatoba.services.secretsmanager.plan.passwords import Rules


@secretsmanager.operation
async def get_random_password(req: t.GetRandomPasswordRequest, call: Call) -> t.GetRandomPasswordResponse:
    rules = Rules(
        length=req.get("PasswordLength", passwords.DEFAULT),
        exclude=req.get("ExcludeCharacters", ""),
        lowercase=not req.get("ExcludeLowercase", False),
        uppercase=not req.get("ExcludeUppercase", False),
        numbers=not req.get("ExcludeNumbers", False),
        punctuation=not req.get("ExcludePunctuation", False),
        space=req.get("IncludeSpace", False),
        each=req.get("RequireEachIncludedType", True),
    )
    return {"RandomPassword": passwords.generate(rules, call.ids.choice_index)}
