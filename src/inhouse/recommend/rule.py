"""A rule, and what can be wrong with one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from inhouse.core.errors import Fault
from inhouse.core.ids import is_valid_id
from inhouse.recommend.surfaces import SURFACES

RuleAction = Literal["pin", "boost", "block"]
RULE_ACTIONS: Final[tuple[RuleAction, ...]] = get_args(RuleAction)
LEAST_FACTOR: Final = 0.2
MOST_FACTOR: Final = 5.0
MOST_POSITION: Final = 99
MOST_REASON_CHARS: Final = 200
# Surfaces whose order a value decides; the others are in order of time or likeness by promise.
_BOOSTED_ON: Final = frozenset(("for_you", "trending"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What an operator wants shown, shown more or not shown."""

    action: RuleAction  # pin to a place, boost the value, block
    target: str  # `item:ID`, `creator:ID` or `topic:NAME`; a pin is of an item
    reason: str  # told to whoever asks why
    rule_id: str = ""  # chosen by inhouse
    position: int = 0  # of a pin: which place, 0 first
    factor: float = 1.0  # of a boost: what the value is multiplied with, 0.2 to 5
    from_ms: int = 0  # holds from then on
    until_ms: int | None = None  # until then; None until it is withdrawn
    surfaces: tuple[str, ...] = ("for_you",)  # where
    region: str | None = None  # for people of this region alone
    arms: Mapping[str, str] = field(default_factory=dict)  # experiment -> arm: in these alone
    created_by: str = "operator"  # who wants it
    created_ms: int = 0  # when it was made
    withdrawn_ms: int | None = None  # when it was withdrawn

    def holds_at(self, now_ms: int) -> bool:
        """Whether it is in force."""
        ended = self.until_ms is not None and now_ms >= self.until_ms
        return self.withdrawn_ms is None and self.from_ms <= now_ms and not ended


def faults_of(rule: Rule) -> list[Fault]:
    """Everything wrong with a rule."""
    sort, _, name = rule.target.partition(":")
    sorts = ("item",) if rule.action == "pin" else ("item", "creator", "topic")
    named = bool(name.strip()) if sort == "topic" else is_valid_id(name)
    ends = rule.until_ms is None or rule.until_ms > rule.from_ms
    on: frozenset[str] = _BOOSTED_ON if rule.action == "boost" else frozenset(SURFACES)
    checks = (
        ("target", rule.target, sort in sorts and named, " or ".join(f"{s}:NAME" for s in sorts)),
        (
            "reason",
            rule.reason,
            0 < len(rule.reason.strip()) <= MOST_REASON_CHARS,
            f"1 to {MOST_REASON_CHARS} characters, told to people",
        ),
        (
            "position",
            rule.position,
            0 <= rule.position <= MOST_POSITION,
            f"0 to {MOST_POSITION}",
        ),
        (
            "factor",
            rule.factor,
            LEAST_FACTOR <= rule.factor <= MOST_FACTOR,
            f"{LEAST_FACTOR:g} to {MOST_FACTOR:g}",
        ),
        ("until_ms", rule.until_ms, ends, f"later than from_ms, {rule.from_ms}"),
        (
            "surfaces",
            rule.surfaces,
            bool(rule.surfaces) and set(rule.surfaces) <= on,
            f"some of {', '.join(s for s in SURFACES if s in on)}",
        ),
    )
    return [
        Fault(field=name, value=repr(value)[:80], expected=expected)
        for name, value, right, expected in checks
        if not right
    ]


def clash(new: Rule, old: Rule) -> str | None:
    """Why two rules cannot both hold, or None where they can."""
    if not _meet(new, old):
        return None
    if new.action == old.action == "pin" and new.position == old.position:
        return f"it has place {old.position} for {old.target!r} there"
    if new.target == old.target and new.action != old.action:
        return f"it says {old.action} of {old.target!r} there"
    if new.target == old.target:
        return f"it says the same of {old.target!r} there"
    return None


def _meet(new: Rule, old: Rule) -> bool:
    """Whether there is a request to which both apply."""
    in_time = (old.until_ms is None or new.from_ms < old.until_ms) and (
        new.until_ms is None or old.from_ms < new.until_ms
    )
    same_arms = all(old.arms.get(key, arm) == arm for key, arm in new.arms.items())
    regions = {new.region, old.region} - {None}
    return in_time and same_arms and len(regions) < 2 and bool({*new.surfaces} & {*old.surfaces})
