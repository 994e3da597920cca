"""The pure halves: labels that move, passwords, names, filters, schedules, envelopes. Mostly properties."""

from __future__ import annotations

import datetime
import random
import string
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.services.kms.crypto import envelope
from hatoba.services.kms.crypto.envelope import Broken, Head
from hatoba.services.kms.plan import naming
from hatoba.services.secretsmanager.plan import filters, names, passwords, schedule, stages
from hatoba.services.secretsmanager.plan.passwords import Rules
from hatoba.services.ssm.plan import names as parameter_names
from hatoba.services.ssm.plan import public, values

SCOPE = Scope("aws", "123456789012", "us-east-1")


def refused(act: Callable[[], object]) -> str | None:
    """The code of a refusal; None when there is none."""
    try:
        act()
    except AwsError as error:
        return error.code
    return None


# --- staging labels

LABELS = st.sampled_from([stages.CURRENT, stages.PREVIOUS, stages.PENDING, "mine"])
VERSIONS = st.sampled_from("abcd")


@given(st.lists(st.tuples(VERSIONS, st.lists(LABELS, min_size=1, max_size=3, unique=True)), max_size=12))
def test_a_label_is_on_one_version_at_a_time(moves: list[tuple[str, list[str]]]) -> None:
    now: dict[str, tuple[str, ...]] = {}
    for version, labels in moves:
        before = stages.holder(now, stages.CURRENT)
        now = stages.attach(now, version, labels)
        attached = [label for each in now.values() for label in each]
        assert len(attached) == len(set(attached))
        assert all(label in now[version] for label in labels if label != stages.PREVIOUS)
        if stages.CURRENT in labels and before not in (None, version) and labels[-1] == stages.CURRENT:
            assert stages.holder(now, stages.PREVIOUS) == before


@given(st.lists(st.tuples(VERSIONS, st.just([stages.CURRENT])), min_size=1, max_size=8))
def test_attaching_again_changes_nothing(moves: list[tuple[str, list[str]]]) -> None:
    now: dict[str, tuple[str, ...]] = {}
    for version, labels in moves:
        now = stages.attach(now, version, labels)
        assert stages.attach(now, version, labels) == now


@given(
    st.dictionaries(VERSIONS, st.just(()), min_size=2),
    LABELS,
    st.one_of(st.none(), VERSIONS),
    st.one_of(st.none(), VERSIONS),
)
def test_the_current_label_is_never_lost(
    versions: dict[str, tuple[str, ...]], label: str, to: str | None, from_: str | None
) -> None:
    now = stages.attach(versions, next(iter(versions)), (stages.CURRENT, "mine"))
    try:
        after = stages.moved(now, label, to=to, from_=from_)
    except AwsError:
        return
    assert stages.holder(after, stages.CURRENT) is not None
    assert after.keys() == now.keys()


# --- passwords


@given(
    st.builds(
        Rules,
        length=st.integers(1, 64),
        exclude=st.text(string.printable, max_size=40),
        lowercase=st.booleans(),
        uppercase=st.booleans(),
        numbers=st.booleans(),
        punctuation=st.booleans(),
        space=st.booleans(),
        each=st.booleans(),
    ),
    st.randoms(use_true_random=False),
)
def test_a_password_keeps_its_rules(rules: Rules, chance: random.Random) -> None:
    try:
        password = passwords.generate(rules, chance.randrange)
    except AwsError:
        kinds = rules.kinds()
        assert not kinds or (rules.each and rules.length < len(kinds))
        return
    assert len(password) == rules.length
    assert not set(password) & set(rules.exclude)
    allowed = "".join(rules.kinds()) + " " * rules.space
    assert set(password) <= set(allowed)
    if rules.each:
        assert all(set(kind) & set(password) for kind in rules.kinds())


def test_a_password_has_its_kinds_in_no_order() -> None:
    firsts = {passwords.generate(Rules(length=4), random.Random(seed).randrange)[0].islower() for seed in range(40)}
    assert firsts == {True, False}


# --- names

WORD = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=8)


@given(st.lists(WORD, min_size=1, max_size=15))
def test_a_parameter_is_under_all_of_its_folders(parts: list[str]) -> None:
    name = "/" + "/".join(parts)
    above = parameter_names.ancestors(name)
    assert len(above) == len(parts)
    assert parameter_names.folder(name) == above[-1]
    assert all(name.startswith(f"{each}/") for each in above)


@given(st.lists(WORD, min_size=1, max_size=5), st.integers(1, 10**9))
def test_selectors_are_read_back(parts: list[str], number: int) -> None:
    name = "/" + "/".join(parts)
    arn = f"arn:aws:ssm:us-east-1:123456789012:parameter{name}"
    for text in (name, arn):
        plain, chosen = parameter_names.selected(text), parameter_names.selected(f"{text}:{number}")
        assert plain is not None
        assert chosen is not None
        assert (plain.name, plain.number, plain.selector) == (name, None, "")
        assert (chosen.name, chosen.number, chosen.selector) == (name, number, f":{number}")


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_is_not(text: str) -> None:
    found = parameter_names.selected(text)
    assert found is None or found.name in text or text.startswith("arn:")
    code = refused(lambda: parameter_names.checked_name(text, 45))
    assert code in (None, "ValidationException", "AccessDeniedException", "HierarchyLevelLimitExceededException")


@given(st.text(string.ascii_letters + "-/_", min_size=1, max_size=20), st.text(names.LETTERS, min_size=6, max_size=6))
def test_a_secret_is_found_by_each_form_of_its_name(name: str, suffix: str) -> None:
    arn = names.secret_arn(SCOPE, name, suffix)
    assert names.named(SCOPE, arn).names[0] == (name, suffix)
    assert (name, None) in names.named(SCOPE, arn.rpartition("-")[0]).names
    assert names.named(SCOPE, name).names == ((name, None),)


@pytest.mark.parametrize(
    "text", ["", "arn:aws:kms", "key/x", "mrk-", "ALIAS/x", "arn:aws:kms:us-east-1:1:nothing/x", "\0", "arn:::::"]
)
def test_what_names_no_key(text: str) -> None:
    with pytest.raises(AwsError) as refusal:
        naming.named(SCOPE, text)
    assert refusal.value.code == "NotFoundException"


# --- lists


def fact(name: str, moment: float) -> filters.Facts:
    return filters.Facts(
        name=name, description="", tags={}, primary="", owner="", created=moment, changed=moment, accessed=moment
    )


@given(st.lists(st.tuples(WORD, st.floats(0, 2e9)), unique_by=lambda each: each[0], max_size=20))
def test_orders_are_orders(rows: list[tuple[str, float]]) -> None:
    facts = [fact(*row) for row in rows]
    for by in ("name", "created-date"):
        up = sorted(facts, key=lambda each: filters.order(each, by, descending=False))
        down = sorted(facts, key=lambda each: filters.order(each, by, descending=True))
        if by == "name":
            assert up == sorted(facts, key=lambda each: each.name)
            assert down == up[::-1]
        else:
            assert [int(e.created * 1e6) for e in up] == sorted(int(e.created * 1e6) for e in facts)
            assert [int(e.created * 1e6) for e in down] == sorted((int(e.created * 1e6) for e in facts), reverse=True)


# --- schedules

NOW = 1_700_000_000.0  # 2023-11-14 22:13:20


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(f"{text}+00:00").timestamp()


@pytest.mark.parametrize(
    ("expression", "next_"),
    [
        ("rate(10 days)", "2023-11-24T00:00:00"),
        ("rate(4 hours)", "2023-11-15T00:00:00"),
        ("cron(0 8 1 * ? *)", "2023-12-01T08:00:00"),
        ("cron(0 23 14 * ? *)", "2023-11-14T23:00:00"),
        ("cron(0 0 ? * SUN#1 *)", "2023-12-03T00:00:00"),
        ("cron(0 8 ? * 6L *)", "2023-11-24T08:00:00"),
        ("cron(0 16 L 2 ? *)", "2024-02-29T16:00:00"),
        ("cron(0 */8 ? * MON-FRI *)", "2023-11-15T00:00:00"),
        ("cron(0 4/6 * * ? *)", "2023-11-15T04:00:00"),
        ("cron(0 9 29 2 ? 2025-2030)", "2028-02-29T09:00:00"),
        ("cron(0 0 1 JAN,JUL ? *)", "2024-01-01T00:00:00"),
    ],
)
def test_schedules(expression: str, next_: str) -> None:
    assert schedule.parse(expression).next(NOW) == at(next_)


@pytest.mark.parametrize(
    "expression",
    [
        "rate(3 hours)",
        "rate(1000 days)",
        "rate(5 minutes)",
        "cron(15 8 1 * ? *)",
        "cron(0 8 1 * 1 *)",
        "cron(0 8 ? * ? *)",
        "cron(0 8 1 * ?)",
        "cron(0 24 1 * ? *)",
        "cron(0 8 0 * ? *)",
        "cron(0 8 1 13 ? *)",
        "cron(0 8 1 * ? 1969)",
        "cron(0 8 5-2 * ? *)",
        "cron(0 8 1/0 * ? *)",
        "cron(0 8 ? * 1#6 *)",
        "every day",
    ],
)
def test_what_is_no_schedule(expression: str) -> None:
    with pytest.raises(schedule.Unclear):
        schedule.parse(expression)


def test_a_day_that_never_comes_is_refused() -> None:
    with pytest.raises(AwsError) as refusal:
        schedule.checked({"ScheduleExpression": "cron(0 0 31 2 ? *)"}, NOW)
    assert refusal.value.code == "InvalidParameterException"


@settings(max_examples=60)
@given(
    st.sampled_from(["cron(0 3 ? * TUE *)", "cron(0 1,13 */5 * ? *)", "cron(0 0 L * ? *)", "rate(6 hours)"]),
    st.floats(0, 4e9),
)
def test_a_schedule_always_comes_and_always_later(expression: str, after: float) -> None:
    plan = schedule.parse(expression)
    first = plan.next(after)
    assert after < first <= after + 32 * schedule.DAY
    assert first % schedule.HOUR == 0
    assert plan.next(first - 1) == first  # nothing in between is left out


@pytest.mark.parametrize(("duration", "good"), [("2h", True), ("0h", False), ("25h", False), ("21h", False)])
def test_a_window_ends_with_its_day(duration: str, good: bool) -> None:
    rules = {"ScheduleExpression": "cron(0 4 * * ? *)", "Duration": duration}
    if good:
        assert schedule.checked(rules, NOW).duration == duration
        return
    with pytest.raises(AwsError):
        schedule.checked(rules, NOW)


# --- envelopes

CONTEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
HEAD = Head(account="123456789012", key="mrk-" + "0" * 32, material="ab" * 32)


@given(st.binary(max_size=64), CONTEXTS, CONTEXTS)
def test_an_envelope_opens_with_its_own_context_alone(
    plain: bytes, context: dict[str, str], other: dict[str, str]
) -> None:
    blob = envelope.seal(HEAD, b"m" * 32, plain, context)
    assert envelope.head_of(blob) == HEAD
    assert envelope.open_(blob, b"m" * 32, dict(reversed(context.items()))) == plain
    if other != context:
        with pytest.raises(Broken):
            envelope.open_(blob, b"m" * 32, other)
    with pytest.raises(Broken):
        envelope.open_(blob, b"n" * 32, context)


@given(CONTEXTS, CONTEXTS)
def test_a_canonical_context_is_unambiguous(one: dict[str, str], other: dict[str, str]) -> None:
    assert (envelope.canonical(one) == envelope.canonical(other)) == (one == other)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_broken(data: bytes) -> None:
    try:
        envelope.open_(data, b"m" * 32, {})
    except Broken:
        return
    raise AssertionError("bytes that nobody sealed were opened")


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_no_byte_of_an_envelope_can_be_changed(place: int, bit: int) -> None:
    blob = envelope.seal(HEAD, b"m" * 32, b"secret", {"a": "b"})
    at_ = place % len(blob)
    spoiled = blob[:at_] + bytes([blob[at_] ^ (1 << bit)]) + blob[at_ + 1 :]
    with pytest.raises(Broken):
        envelope.open_(spoiled, b"m" * 32, {"a": "b"})


# --- values and public parameters


@given(st.text(max_size=200))
def test_comments_are_taken_out_of_json_in_linear_time(text: str) -> None:
    assert refused(lambda: values.check_value(text, "String", "jsonc")) in (None, "ValidationException")


@pytest.mark.parametrize("text", ["/*" * 4000, '"\\' * 4000, "," * 8000, '"' * 8000])
def test_nothing_makes_the_check_of_a_value_slow(text: str) -> None:
    with pytest.raises(AwsError):
        values.check_value(text, "String", "jsonc")


def test_public_parameters_hang_together() -> None:
    everything = public.under("eu-west-1", "/aws/service", recursive=True)
    assert [each.name for each in everything] == sorted(each.name for each in everything)
    for each in everything:
        assert public.find("eu-west-1", each.name) == each
        assert each in public.under("eu-west-1", each.name.rpartition("/")[0], recursive=False)
    assert public.find("us-east-1", "/aws/service/global-infrastructure/current-region").value == "us-east-1"
