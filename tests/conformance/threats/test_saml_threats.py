"""Whoever wants a session of a role without a provider's word for it, or with a word that was meant otherwise.

Each attack is tried on the real room; then without what stops it, and succeeds. Against signature wrapping there are
several walls, one behind the other: there all of them are taken out.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lxml import etree

from tests.conformance.ec2.networks import Platform, served
from tests.conformance.iam.assertions import PLACE, SAML, assertion, metadata, private_pem, response
from tests.conformance.iam.test_sts_saml import World
from tests.conformance.serving import fresh_account
from tests.conformance.threats.disarm import without

SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
VICTIM = "root@corp.test"
OF_VICTIM = {"StringEquals": {"saml:sub": VICTIM, "saml:aud": PLACE}}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with served(tmp_path_factory.mktemp("saml")) as platform:
        yield platform


def works(call: Callable[[], Any]) -> bool:
    try:
        call()
    except ClientError:
        return False
    return True


def trusting(platform: Platform, **rest: Any) -> World:
    """An account that lets nobody in but the victim."""
    world = World(platform, fresh_account())
    world.register(**rest)
    world.trust(Condition=OF_VICTIM)
    return world


def victims(world: World, **changed: Any) -> str:
    return world.inside(**{"name": VICTIM, **changed})


# --- without a signature that counts


def unsigned(platform: Platform) -> bool:
    world = trusting(platform)
    return works(lambda: world.ask(response(victims(world), sign="nothing")))


def signed_by_somebody_else(platform: Platform) -> bool:
    """With the certificate of the key that signed inside, as most providers send it."""
    world = trusting(platform)
    return works(lambda: world.ask(response(victims(world), key="strange")))


def signed_with_a_weak_hash(platform: Platform) -> bool:
    world = trusting(platform)
    return works(lambda: world.ask(response(victims(world), hash_="sha1")))


def changed_on_its_way(platform: Platform) -> bool:
    world = trusting(platform)

    def tamper(root: Any) -> None:
        root.find(f".//{{{SAML}}}NameID").text = VICTIM

    return works(lambda: world.ask(response(world.inside(), tamper=tamper)))


def wrapped(where: str) -> Callable[[Platform], bool]:
    """The signed assertion is kept, where nobody looks; another one stands where it stood, with its signature."""

    def attack(platform: Platform) -> bool:
        world = trusting(platform)

        def tamper(root: Any) -> None:
            real = root.find(f"{{{SAML}}}Assertion")
            evil = copy.deepcopy(real)
            evil.find(f".//{{{SAML}}}NameID").text = VICTIM
            evil.set("ID", "_evil")
            root.replace(real, evil)
            real.remove(real.find(f"{{{SIGNATURE}}}Signature"))  # what was signed is without it
            kept = evil.find(f"{{{SIGNATURE}}}Signature")
            if where == "object":
                etree.SubElement(kept, f"{{{SIGNATURE}}}Object").append(real)
            elif where == "sibling":
                root.append(real)
            else:
                etree.SubElement(root, "Extensions").append(real)

        return works(lambda: world.ask(response(world.inside(), tamper=tamper)))

    return attack


def cut_by_a_comment(platform: Platform) -> bool:
    """Canonical XML has no comments: one may be put into what is signed. Who reads up to it reads another name."""
    world = trusting(platform)

    def tamper(root: Any) -> None:
        name = root.find(f".//{{{SAML}}}NameID")
        name.text = VICTIM
        comment = etree.Comment("")
        comment.tail = ".mallory.test"
        name.append(comment)

    return works(lambda: world.ask(response(victims(world, name=f"{VICTIM}.mallory.test"), tamper=tamper)))


def with_a_document_type(platform: Platform) -> bool:
    """Where entities are declared, a few letters may become gigabytes, or a file of the machine."""
    world = trusting(platform)
    text = base64.b64decode(response(victims(world))).decode()
    sent = base64.b64encode(f'<!DOCTYPE a [<!ENTITY b "c">]>{text}'.encode()).decode()
    return works(lambda: world.ask(sent))


# --- with a word that was meant otherwise


def meant(**changed: Any) -> Callable[[Platform], bool]:
    def attack(platform: Platform) -> bool:
        world = trusting(platform)
        times = {"issued", "begins", "ends", "confirmed"}
        said = {name: world.now + value if name in times else value for name, value in changed.items()}
        return works(lambda: world.ask(response(victims(world, **said))))

    return attack


def for_another_role(platform: Platform) -> bool:
    """Of a provider that says which roles somebody may have."""
    world = trusting(platform)
    ours = {"Role": [f"arn:aws:iam::{world.account}:role/Other,{world.provider}"]}
    return works(lambda: world.ask(response(world.inside(name=VICTIM, ours=ours))))


def by_a_provider_of_ones_own(platform: Platform) -> bool:
    """Of one's own account, for a role of another's."""
    victim, own = trusting(platform), World(platform, fresh_account())
    own.register(metadata("https://mallory.test", "strange"))
    ours = {"Role": [f"{victim.role},{own.provider}"]}
    inside = assertion(victim.now, own.attributes(**ours), name=VICTIM, issuer="https://mallory.test")
    sent = response(inside, key="strange")
    return works(lambda: victim.asks(RoleArn=victim.role, PrincipalArn=own.provider, SAMLAssertion=sent))


def in_clear(platform: Platform) -> bool:
    world = trusting(platform, AddPrivateKey=private_pem("one"), AssertionEncryptionMode="Required")
    return works(lambda: world.ask(response(victims(world))))


def encrypted_in_a_way_that_tells(platform: Platform) -> bool:
    """PKCS #1 v1.5, of which whoever may try often learns what is inside."""
    world = trusting(platform, AddPrivateKey=private_pem("one"))
    return works(lambda: world.ask(response(victims(world), seal={"key": "one", "transport": "pkcs1"})))


def as_whom_the_provider_refused(platform: Platform) -> bool:
    world = trusting(platform)
    failed = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"
    return works(lambda: world.ask(response(victims(world), status=failed)))


HERE = "hatoba.services.sts.plan.saml"
CLAIMS, READING, TREE = f"{HERE}.claims", f"{HERE}.reading", f"{HERE}.tree"
PLACED = (f"{HERE}.signature:_check_place", 'found = element.findall(f"{SIGNATURE}Signature")', "return")
BELIEVED = (f"{HERE}.signature:signed", "found = result.signed_xml", "found = element")
FIRST = (
    f"{READING}:_assertion",
    "(found,) = (*clear, *closed) if len(clear) + len(closed) == 1 else (None,)",
    "found = clear[0]",
)
OWN = (
    f"{HERE}.signature:signed",
    "for certificate in certificates:",
    'for certificate in [x509.load_der_x509_certificate(__import__("base64").b64decode('
    'element.find(f".//{SIGNATURE}X509Certificate").text))]:',
)
Check = tuple[str, str, str]
ATTACKS: list[tuple[Callable[[Platform], bool], list[Check]]] = [
    (unsigned, [(f"{READING}:_assertion", "found if whole else signature.signed(found, certificates)", "found")]),
    (signed_by_somebody_else, [OWN]),
    (
        signed_with_a_weak_hash,
        [
            (
                f"{HERE}.signature:signed",
                "signature_methods=_METHODS,\n        digest_algorithms=_DIGESTS,",
                "signature_methods=frozenset(SignatureMethod), digest_algorithms=frozenset(DigestAlgorithm),",
            )
        ],
    ),
    (
        changed_on_its_way,
        [(f"{READING}:_assertion", "found if whole else signature.signed(found, certificates)", "found")],
    ),
    (wrapped("object"), [PLACED, BELIEVED, FIRST]),
    (wrapped("sibling"), [PLACED, BELIEVED, FIRST]),
    (wrapped("extensions"), [PLACED, BELIEVED, FIRST]),
    (
        cut_by_a_comment,
        [
            BELIEVED,
            (f"{TREE}:parser", "remove_comments=True", "remove_comments=False"),
            (f"{TREE}:all_text", '"".join(element.itertext()).strip()', '(element.text or "").strip()'),
        ],
    ),
    (
        with_a_document_type,
        [
            (f"{TREE}:_outside_cdata", "return text.replace", 'return "".replace'),
            (f"{TREE}:parsed", "or root.getroottree().docinfo.doctype", ""),
        ],
    ),
    (meant(issued=-301), [(f"{CLAIMS}:_check_times", "if issued <= now - _GOOD:", "if False:")]),
    (meant(begins=301), [(f"{CLAIMS}:_check_times", "if begins is not None and begins > now + SKEW:", "if False:")]),
    (meant(ends=-1), [(f"{CLAIMS}:_check_times", "if ends is not None and ends <= now:", "if False:")]),
    (meant(confirmed=-1), [(f"{CLAIMS}:_recipient", "if ends <= now:", "if False:")]),
    (meant(audience="https://other.test"), [(f"{CLAIMS}:_check_audience", "or not all(meant)", "")]),
    (meant(audience=None), [(f"{CLAIMS}:_check_audience", "not restrictions or", "")]),
    (meant(issuer="https://other.test"), [(f"{CLAIMS}:read", "!= issuer", "== ''")]),
    (for_another_role, [("hatoba.services.sts.api.saml:assume_role_with_saml", "or not listed", "")]),
    (in_clear, [(f"{READING}:_assertion", "elif encrypted:", "elif False:")]),
    (as_whom_the_provider_refused, [(f"{READING}:read", "if _status(response) != _SUCCESS:", "if False:")]),
]
NAMES = [f"{number:02d} {attack.__name__}" for number, (attack, _) in enumerate(ATTACKS)]


@pytest.mark.parametrize(("attack", "checks"), ATTACKS, ids=NAMES)
def test_what_is_no_providers_word_opens_nothing(
    platform: Platform, attack: Callable[[Platform], bool], checks: list[Check]
) -> None:
    assert not attack(platform)
    with ExitStack() as disarmed:
        for check in checks:
            disarmed.enter_context(without(*check))
        assert attack(platform), "something else stops it: is the check of any use?"


@pytest.mark.parametrize("attack", [by_a_provider_of_ones_own, encrypted_in_a_way_that_tells])
def test_what_nothing_here_could_do(platform: Platform, attack: Callable[[Platform], bool]) -> None:
    """There is no check that could be lost: trust policies name providers, and only OAEP is carried out."""
    assert not attack(platform)
