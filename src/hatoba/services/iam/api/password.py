"""Passwords of users, and the account's rules for them. There is no console to sign in to: they are kept for later.

Hashing takes its time, in a thread: so what is decided before it is looked at again in the transaction after it.
"""

from __future__ import annotations

import asyncio

import msgspec

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.gateway.call import Call
from hatoba.services.iam.api.room import iam
from hatoba.services.iam.api.user import asked
from hatoba.services.iam.model import USER, Login, PasswordRules, User, password_rules, users
from hatoba.services.iam.plan import passwords
from hatoba.store.store import View

MOST_REMEMBERED = 24
DAY = 86400.0


def rules_of(view: View, call: Call) -> PasswordRules | None:
    return view.find(password_rules, call.scope.everywhere(), "account")


def login_of(user: User) -> Login:
    """Raises NoSuchEntity."""
    if user.login is None:
        raise t.NoSuchEntityException(f"Login Profile for User {user.name} cannot be found.")
    return user.login


async def _sealed(call: Call, password: str, before: Login | None = None) -> Secret:
    """Raises PasswordPolicyViolation."""
    rules = rules_of(call.store, call)
    if not passwords.conforms(password, rules):
        raise t.PasswordPolicyViolationException("Password does not conform to the account password policy.")
    remembered = (rules.remembered if rules is not None else None) or 0
    if before is not None and remembered:
        kept = [each.reveal() for each in (before.password, *before.earlier)[:remembered]]
        if await asyncio.to_thread(passwords.used_before, password, kept):
            raise t.PasswordPolicyViolationException("Policy constraint violation with password reuse prevention")
    salt = bytes.fromhex(call.ids.hex(32))
    return Secret(await asyncio.to_thread(passwords.sealed, password, salt))


def _with(before: Login, password: Secret, now: float, *, reset: bool) -> Login:
    earlier = (before.password, *before.earlier)[:MOST_REMEMBERED]
    return Login(password=password, earlier=earlier, created=before.created, changed=now, reset=reset)


def _view(user: User, login: Login) -> t.LoginProfile:
    return {"UserName": user.name, "CreateDate": login.created, "PasswordResetRequired": login.reset}


# --- passwords


@iam.operation
async def create_login_profile(req: t.CreateLoginProfileRequest, call: Call) -> t.CreateLoginProfileResponse:
    user = asked(call.store, call, req.get("UserName"))
    if "Password" not in req:
        raise AwsError("A password must be given.", code="ValidationError")
    password = await _sealed(call, req["Password"])
    with call.tx() as tx:
        user = USER.the(tx, call.scope, user.name)
        if user.login is not None:
            raise t.EntityAlreadyExistsException(f"Login Profile for user {user.name} already exists.")
        reset = req.get("PasswordResetRequired", False)
        login = Login(password=password, created=call.now, changed=call.now, reset=reset)
        tx.put(users, replace(user, login=login))
    return {"LoginProfile": _view(user, login)}


@iam.operation
async def get_login_profile(req: t.GetLoginProfileRequest, call: Call) -> t.GetLoginProfileResponse:
    user = asked(call.store, call, req.get("UserName"))
    return {"LoginProfile": _view(user, login_of(user))}


@iam.operation
async def update_login_profile(req: t.UpdateLoginProfileRequest, call: Call) -> None:
    before = login_of(USER.the(call.store, call.scope, req["UserName"]))
    password = await _sealed(call, req["Password"], before) if "Password" in req else None
    with call.tx() as tx:
        user = USER.the(tx, call.scope, req["UserName"])
        login = login_of(user)
        reset = req.get("PasswordResetRequired", login.reset)
        if password is not None:
            login = _with(login, password, call.now, reset=reset)
        tx.put(users, replace(user, login=msgspec.structs.replace(login, reset=reset)))


@iam.operation
async def delete_login_profile(req: t.DeleteLoginProfileRequest, call: Call) -> None:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        login_of(user)
        tx.put(users, replace(user, login=None))


@iam.operation
async def change_password(req: t.ChangePasswordRequest, call: Call) -> None:
    if call.principal.kind != "user":
        raise t.InvalidUserTypeException("Only IAM Users can change their own password.")
    before = login_of(asked(call.store, call, None))
    if not await asyncio.to_thread(passwords.matches, req["OldPassword"], before.password.reveal()):
        raise AwsError("The old password was incorrect.", code="AccessDenied", status=403)
    password = await _sealed(call, req["NewPassword"], before)
    with call.tx() as tx:
        user = asked(tx, call, None)
        if user.login != before:  # it was changed meanwhile: the old one is old now
            raise AwsError("The old password was incorrect.", code="AccessDenied", status=403)
        tx.put(users, replace(user, login=_with(before, password, call.now, reset=False)))


# --- the account's rules


@iam.operation
async def update_account_password_policy(req: t.UpdateAccountPasswordPolicyRequest, call: Call) -> None:
    """What is not said has its default, whatever it was before."""
    with call.tx() as tx:
        rules = PasswordRules(
            key=password_rules.key(call.scope.everywhere(), "account"),
            least=req.get("MinimumPasswordLength", 6),
            symbols=req.get("RequireSymbols", False),
            numbers=req.get("RequireNumbers", False),
            upper=req.get("RequireUppercaseCharacters", False),
            lower=req.get("RequireLowercaseCharacters", False),
            own_change=req.get("AllowUsersToChangePassword", False),
            days=req.get("MaxPasswordAge"),
            remembered=req.get("PasswordReusePrevention"),
            hard_expiry=req.get("HardExpiry"),
        )
        tx.write(password_rules, rules)


def _rules(view: View, call: Call) -> PasswordRules:
    rules = rules_of(view, call)
    if rules is None:
        raise t.NoSuchEntityException(f"The Password Policy with domain name {call.scope.account} cannot be found.")
    return rules


@iam.operation
async def get_account_password_policy(req: object, call: Call) -> t.GetAccountPasswordPolicyResponse:
    rules = _rules(call.store, call)
    shown: t.PasswordPolicy = {
        "MinimumPasswordLength": rules.least,
        "RequireSymbols": rules.symbols,
        "RequireNumbers": rules.numbers,
        "RequireUppercaseCharacters": rules.upper,
        "RequireLowercaseCharacters": rules.lower,
        "AllowUsersToChangePassword": rules.own_change,
        "ExpirePasswords": rules.days is not None,
    }
    if rules.days is not None:
        shown["MaxPasswordAge"] = rules.days
    if rules.remembered is not None:
        shown["PasswordReusePrevention"] = rules.remembered
    if rules.hard_expiry is not None:
        shown["HardExpiry"] = rules.hard_expiry
    return {"PasswordPolicy": shown}


@iam.operation
async def delete_account_password_policy(req: object, call: Call) -> None:
    with call.tx() as tx:
        tx.forget(password_rules, _rules(tx, call).key)
