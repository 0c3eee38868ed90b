"""The sections `rights` and `strikes` of a policy file; both may be left out."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import yaml

from inhouse.core.faults import did_you_mean
from inhouse.moderation.policy.dsa_terms import CATEGORIES, KEYWORDS
from inhouse.moderation.policy.nodes import YamlFile, kind_of
from inhouse.moderation.policy.rights import CategoryRights, Rights, StrikeRules
from inhouse.moderation.types import CHILD_ABUSE

_FIELDS: Final = ("dsa", "keyword", "ground", "law", "strike", "exempt")
_GROUNDS: Final = ("terms", "illegal")
_TRUTH: Final = MappingProxyType({"true": True, "false": False})
_MOST_LAW_CHARS: Final = 500
_MOST_STRIKE: Final = 100.0
# Smallest and largest, and whether a fraction may be given.
_STRIKES: Final[Mapping[str, tuple[float, float, bool]]] = MappingProxyType(
    {
        "half_life_days": (1, 3_650, True),
        "limit_at": (0.1, 1_000, True),
        "limit_days": (1, 365, False),
        "suspend_at": (0.1, 1_000, True),
        "suspend_days": (1, 365, False),
    }
)


def read_rights(source: YamlFile, fields: Mapping[str, yaml.Node], known: set[str]) -> Rights:
    """What the two sections say; faults are collected in `source`."""
    strikes = StrikeRules()
    if "strikes" in fields:
        strikes = _strikes(source, fields["strikes"])
    categories: dict[str, CategoryRights] = {}
    if "rights" in fields:
        for key, value in source.mapping(fields["rights"], "rights"):
            if key.value == CHILD_ABUSE:
                hint = "what is sealed follows the law, not the policy; leave it out"
                source.fault(key, f"`{CHILD_ABUSE}` in rights", hint)
            elif key.value not in known:
                hint = did_you_mean(key.value, known)
                source.fault(key, f"unknown category `{key.value}` in rights", hint)
            else:
                categories[key.value] = _category(source, key.value, value)
    return Rights(categories=MappingProxyType(categories), strikes=strikes)


def _category(source: YamlFile, name: str, node: yaml.Node) -> CategoryRights:
    before = len(source.faults)
    fields = source.fields(node, f"the rights of `{name}`", _FIELDS, ())
    given: dict[str, object] = {}
    for field, known in (("dsa", CATEGORIES), ("keyword", KEYWORDS), ("ground", _GROUNDS)):
        if field in fields:
            given[field] = _one_of(source, fields[field], field, known)
    if "law" in fields:
        law = source.text_of(fields["law"], "law")
        if law is not None and len(law) > _MOST_LAW_CHARS:
            hint = f"expected at most {_MOST_LAW_CHARS}"
            source.fault(fields["law"], f"the law has {len(law)} characters", hint)
        given["law"] = law
    if "strike" in fields:
        given["strike"] = _number(source, fields["strike"], "strike", (0, _MOST_STRIKE, True))
    if "exempt" in fields:
        given["exempt"] = _truth(source, fields["exempt"])
    if given.get("ground") == "illegal" and not given.get("law"):
        source.fault(node, f"`{name}` is illegal by no law", "add a line `law: …`")
    if len(source.faults) > before:
        return CategoryRights()
    return dataclasses.replace(Rights().of(name), **given)  # type: ignore[arg-type]


def _strikes(source: YamlFile, node: yaml.Node) -> StrikeRules:
    before = len(source.faults)
    fields = source.fields(node, "strikes", tuple(_STRIKES), ())
    given = {name: _number(source, value, name, _STRIKES[name]) for name, value in fields.items()}
    if len(source.faults) > before:
        return StrikeRules()
    whole = {name: n if _STRIKES[name][2] else int(n) for name, n in given.items()}
    rules = dataclasses.replace(StrikeRules(), **whole)  # type: ignore[arg-type]
    if rules.suspend_at <= rules.limit_at:
        hint = f"limit_at is {rules.limit_at:g}; suspend_at must be larger"
        source.fault(node, f"suspend_at is {rules.suspend_at:g}", hint)
    return rules


def _one_of(source: YamlFile, node: yaml.Node, what: str, known: object) -> str | None:
    text = source.text_of(node, what)
    names = set(known)  # type: ignore[call-overload]
    if text is not None and text not in names:
        source.fault(node, f"unknown {what} `{text}`", did_you_mean(text, names))
    return text


def _number(
    source: YamlFile, node: yaml.Node, what: str, bounds: tuple[float, float, bool]
) -> float:
    least, most, fraction = bounds
    number = source.number_of(node)
    if number is None or not least <= number <= most or not (fraction or number == int(number)):
        kind = "a number" if fraction else "a whole number"
        source.fault(
            node, f"`{what}` is {kind_of(node)}", f"expected {kind} from {least:g} to {most:g}"
        )
        return least
    return number


def _truth(source: YamlFile, node: yaml.Node) -> bool:
    text = node.value if isinstance(node, yaml.ScalarNode) else None
    if text not in _TRUTH:
        source.fault(node, f"`exempt` is {kind_of(node)}", "expected true or false")
    return _TRUTH.get(str(text), False)
