"""Operators' rules from outside, and what they say of a page."""

from collections.abc import Iterable

import msgspec

from inhouse.app.build import Services
from inhouse.core.decoding import UNREADABLE
from inhouse.core.errors import InputError
from inhouse.recommend.explain import RULE_NOTES
from inhouse.recommend.rule import Rule

_DECODER = msgspec.json.Decoder(Rule)


def read_rule(body: bytes) -> Rule:
    """From JSON. Raises InputError that names what is wrong."""
    try:
        return _DECODER.decode(body)
    except UNREADABLE as error:
        raise InputError(f"rule: {error}; see /docs for its shape") from error


def reasons_of(use: Services, notes: Iterable[str]) -> dict[str, str]:
    """Rule -> what its operator said, for the rules that a page's notes name."""
    parted = [note.partition(":")[::2] for note in notes]
    named = {rule_id for name, rule_id in parted if name in RULE_NOTES}
    if not named:
        return {}
    return {rule.rule_id: rule.reason for rule in use.feed_rules.list() if rule.rule_id in named}
