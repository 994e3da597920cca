"""The action `authenticate-oidc`: checked, complete, and as the proxy knows it.

Sources: AuthenticateOidcActionConfig; "Authenticate users using an Application Load Balancer". It comes before the one
action that answers, and only HTTPS listeners have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.secret import Secret
from hatoba.proxy.signin.words import SignIn
from hatoba.services.elbv2.model.authentication import (
    DEFAULT_COOKIE,
    DEFAULT_SCOPE,
    DEFAULT_TIMEOUT,
    Authentication,
)
from hatoba.services.elbv2.plan.errors import invalid

TYPE = "authenticate-oidc"
_CONFIG = "AuthenticateOidcConfig"
_MOST_EXTRA = 10
_LONGEST_URL = 2048
_LONGEST = 1024  # of ids, secrets, names and values
_ENDPOINTS = ("Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint")
# What the load balancer says itself in the request to the authorization endpoint.
_OWN = frozenset({"client_id", "redirect_uri", "response_type", "scope", "state", "nonce"})
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VISIBLE = re.compile(r"[\x20-\x7e]+")

Actions = Sequence[Mapping[str, Any]]


def split(actions: Actions, before: Authentication | None = None) -> tuple[Authentication | None, list[dict[str, Any]]]:
    """What users must do first, if anything, and the other actions. `before`: what the rule wanted until now, whose
    client secret may stay. Raises ValidationError, InvalidLoadBalancerAction, TooManyActions."""
    first = [action for action in actions if action["Type"] == TYPE]
    rest = [dict(action) for action in actions if action["Type"] != TYPE]
    if not first:
        if any(_CONFIG in action for action in rest):
            raise invalid(f"{_CONFIG} can only be specified for actions of the type '{TYPE}'")
        return None, rest
    if len(first) > 1:
        raise t.TooManyActionsException("You can specify only one authenticate action")
    if any(key not in ("Type", "Order", _CONFIG) for key in first[0]):
        raise invalid(f"The action of type '{TYPE}' has a configuration of another type")
    if len(rest) != 1:
        raise t.InvalidLoadBalancerActionException(
            "The last action of a rule must be one of the types forward, redirect and fixed-response"
        )
    order, after = first[0].get("Order"), rest[0].get("Order")
    if order is None or after is None:
        raise invalid("An order must be specified for each action of a rule with several actions")
    if order >= after:
        raise t.InvalidLoadBalancerActionException(
            f"The action of type '{TYPE}' must have a lower order than the action that follows it"
        )
    return _checked(first[0].get(_CONFIG), order, before), rest


def _checked(config: Mapping[str, Any] | None, order: int, before: Authentication | None) -> Authentication:
    if config is None:
        raise invalid(f"You must specify {_CONFIG} for an action of the type '{TYPE}'")
    for member in _ENDPOINTS:
        _check_url(member, config[member])
    client = config["ClientId"]
    if not 0 < len(client) <= _LONGEST or not _VISIBLE.fullmatch(client):
        raise invalid("The client ID is not valid")
    return Authentication(
        issuer=config["Issuer"],
        authorization_endpoint=config["AuthorizationEndpoint"],
        token_endpoint=config["TokenEndpoint"],
        user_info_endpoint=config["UserInfoEndpoint"],
        client_id=client,
        client_secret=_secret(config, before),
        cookie=_cookie(config.get("SessionCookieName") or DEFAULT_COOKIE),
        scope=_scope(config.get("Scope") or DEFAULT_SCOPE),
        timeout=_timeout(config.get("SessionTimeout")),
        extra=_extra(config.get("AuthenticationRequestExtraParams") or {}),
        otherwise=cast(Any, config.get("OnUnauthenticatedRequest") or "authenticate"),
        order=order,
    )


def _check_url(member: str, url: str) -> None:
    if not _is_url(url):
        raise invalid(
            f"{member} '{url[:256]}' must be a full URL, including the HTTPS protocol, the domain, and the path"
        )


def _is_url(url: str) -> bool:
    if len(url) > _LONGEST_URL or " " in url or not _VISIBLE.fullmatch(url):
        return False
    try:
        where = urlsplit(url)
        _ = where.port
    except ValueError:
        return False
    return where.scheme == "https" and bool(where.hostname) and "@" not in where.netloc and not where.fragment


def _secret(config: Mapping[str, Any], before: Authentication | None) -> Secret:
    given, keeps = config.get("ClientSecret"), config.get("UseExistingClientSecret")
    if given and keeps:
        raise t.InvalidLoadBalancerActionException(
            "You cannot both specify a client secret and set UseExistingClientSecret to true"
        )
    if keeps:
        if before is None:
            raise t.InvalidLoadBalancerActionException("There is no existing client secret to use")
        return before.client_secret
    if not given:
        raise t.InvalidLoadBalancerActionException("You must either specify a client secret or use the existing one")
    if len(given) > _LONGEST:
        raise invalid(f"The client secret can have at most {_LONGEST} characters")
    return Secret(given)


def _cookie(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise invalid(f"The session cookie name '{name[:256]}' is not valid")
    return name


def _scope(scope: str) -> str:
    if len(scope) > _LONGEST or not _VISIBLE.fullmatch(scope):
        raise invalid("The scope is not valid")
    return scope


def _timeout(seconds: int | None) -> int:
    if seconds is None:
        return DEFAULT_TIMEOUT
    if not 1 <= seconds <= DEFAULT_TIMEOUT:
        raise invalid(f"The session timeout must be between 1 and {DEFAULT_TIMEOUT} seconds")
    return seconds


def _extra(given: Mapping[str, str]) -> dict[str, str]:
    if len(given) > _MOST_EXTRA:
        raise invalid(f"You can specify at most {_MOST_EXTRA} extra parameters for the authentication request")
    for name, value in given.items():
        if name in _OWN:
            raise invalid(f"The extra parameter '{name}' is one that the load balancer sets itself")
        if not name or len(name) > _LONGEST or len(value) > _LONGEST:
            raise invalid(f"Extra parameters must have a name, and at most {_LONGEST} characters in name and value")
    return dict(given)


def check_protocol(authentication: Authentication | None, protocol: str) -> None:
    """Raises InvalidLoadBalancerAction."""
    if authentication is not None and protocol != "HTTPS":
        raise t.InvalidLoadBalancerActionException(
            f"Actions of type '{TYPE}' are supported only on HTTPS listeners, not with the protocol '{protocol}'"
        )


def proxied(authentication: Authentication | None, rule: str) -> SignIn | None:
    """`rule`: the last part of the rule's ARN."""
    if authentication is None:
        return None
    return SignIn(
        id=rule,
        issuer=authentication.issuer,
        authorization=authentication.authorization_endpoint,
        token=authentication.token_endpoint,
        user_info=authentication.user_info_endpoint,
        client=authentication.client_id,
        cookie=authentication.cookie,
        scope=authentication.scope,
        timeout=authentication.timeout,
        extra=tuple(sorted(authentication.extra.items())),
        otherwise=authentication.otherwise,
    )
