"""Lifecycle policies: read, checked, and which images they expire.

Source: ECR user guide, "Lifecycle policy properties" and "How lifecycle policies work": rules apply in the order of
their priority; an image that an earlier rule selects is not expired by a later one, which still counts it; the older
image goes before the newer; what an index lists stays for as long as the index.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

DAY = 24 * 3600.0
WILDCARDS = 4  # at most, in a pattern

Positive = Annotated[int, msgspec.Meta(ge=1)]


class BadPolicy(ValueError):
    """The text is no policy, and why."""


class Selection(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    tag_status: Literal["tagged", "untagged", "any"]
    tag_prefix_list: tuple[str, ...] = ()
    tag_pattern_list: tuple[str, ...] = ()
    count_type: Literal["imageCountMoreThan", "sinceImagePushed", "sinceImagePulled"]
    count_unit: Literal["days"] | None = None
    count_number: Positive

    def takes(self, tags: Iterable[str]) -> bool:
        """Whether the rule is about an image with these tags. Of several prefixes or patterns each must be met."""
        tags = tuple(tags)
        match self.tag_status:
            case "any":
                return True
            case "untagged":
                return not tags
        prefixes = all(any(tag.startswith(prefix) for tag in tags) for prefix in self.tag_prefix_list)
        patterns = all(any(fnmatchcase(tag, pattern) for tag in tags) for pattern in self.tag_pattern_list)
        return bool(tags) and prefixes and patterns


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: Literal["expire"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    rule_priority: Positive
    description: Annotated[str, msgspec.Meta(max_length=256)] = ""
    selection: Selection
    action: Action


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rules: Annotated[tuple[Rule, ...], msgspec.Meta(min_length=1, max_length=50)]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An image, as far as rules look at it."""

    digest: str
    tags: tuple[str, ...]
    pushed: float
    pulled: float | None = None
    listed: bool = False  # an index of the repository refers to it


class Expiry(msgspec.Struct, frozen=True, kw_only=True):
    image: Candidate
    priority: int  # of the rule that says so


_decoder = msgspec.json.Decoder(Policy)


def parse(text: str) -> Policy:
    """Raises `BadPolicy`."""
    try:
        policy = _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise BadPolicy(str(error)) from None
    for rule in policy.rules:
        _check(rule)
    priorities = [rule.rule_priority for rule in policy.rules]
    if len(set(priorities)) != len(priorities):
        raise BadPolicy("Each rule needs a rulePriority of its own")
    if any(rule.selection.tag_status == "any" and rule.rule_priority != max(priorities) for rule in policy.rules):
        raise BadPolicy("A rule with tagStatus any must have the highest rulePriority")
    if sum(rule.selection.tag_status == "untagged" for rule in policy.rules) > 1:
        raise BadPolicy("Only one rule may select untagged images")
    return policy


def _check(rule: Rule) -> None:
    selection = rule.selection
    lists = (selection.tag_prefix_list, selection.tag_pattern_list)
    if (selection.tag_status == "tagged") != any(lists) or all(lists):
        raise BadPolicy("Exactly one of tagPrefixList and tagPatternList goes with tagStatus tagged, none with others")
    if any(pattern.count("*") > WILDCARDS for pattern in selection.tag_pattern_list):
        raise BadPolicy(f"A pattern has at most {WILDCARDS} wildcards")
    if (selection.count_type == "imageCountMoreThan") != (selection.count_unit is None):
        raise BadPolicy("countUnit days goes with sinceImagePushed and sinceImagePulled, and with nothing else")


def expiring(policy: Policy, images: Sequence[Candidate], now: float) -> list[Expiry]:
    """What the policy removes, each image once, by the rule that selects it first."""
    claimed: set[str] = set()
    found = []
    for rule in sorted(policy.rules, key=lambda rule: rule.rule_priority):
        selected = [image for image in images if rule.selection.takes(image.tags)]
        for image in _over(rule.selection, selected, now):
            if image.digest not in claimed and not image.listed:
                found.append(Expiry(image=image, priority=rule.rule_priority))
        claimed.update(image.digest for image in selected)
    return found


def _over(selection: Selection, images: list[Candidate], now: float) -> list[Candidate]:
    limit = selection.count_number
    match selection.count_type:
        case "imageCountMoreThan":
            return sorted(images, key=lambda image: (image.pushed, image.digest), reverse=True)[limit:]
        case "sinceImagePushed":
            return [image for image in images if now - image.pushed > limit * DAY]
        case "sinceImagePulled":
            return [image for image in images if now - (image.pulled or image.pushed) > limit * DAY]
