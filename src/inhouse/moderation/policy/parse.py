"""From a policy file to a policy, or to every fault in it."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

import yaml

from inhouse.core.errors import InputError, SettingError
from inhouse.core.faults import FileFault, did_you_mean, in_words, refuse
from inhouse.moderation.policy.logic import ALWAYS, both, neither
from inhouse.moderation.policy.match import MISSING, Condition, Kind, When
from inhouse.moderation.policy.nodes import YamlFile, kind_of
from inhouse.moderation.policy.read_rights import read_rights
from inhouse.moderation.policy.types import DEFAULT_BREAKER, BreakerLimit, Policy, Rule, version_of
from inhouse.moderation.signals.facts import KIND, KINDS, LANGUAGE, LANGUAGE_TAG, PLAIN
from inhouse.moderation.signals.read import BY_CATEGORY, SIGNALS
from inhouse.moderation.types import ACTIONS, P_SCALE, SURFACES, Action, Surface

DEFAULT_POLICY: Final = Path(__file__).parent / "default.yaml"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")
_NAME_HINT: Final = "expected 1 to 48 of a-z 0-9 _, a letter first"
_EVERYWHERE: Final = "everywhere"
_BOUNDS: Final = ("at_least", "below")
# How a bound is written: what it is multiplied with, the largest result, and the hint.
_SCALES: Final[Mapping[Kind, tuple[int, int, str]]] = MappingProxyType(
    {
        "p": (P_SCALE, P_SCALE, "expected a probability above 0 and at most 1, to four decimals"),
        "count": (1, 10_000, "expected a whole number from 1 to 10000"),
    }
)
_TOP: Final = ("policy", "categories", "rules")
_ALSO: Final = ("rights", "strikes", "breaker")
_RULE: Final = ("rule", "category", "when", "actions", "minors", "why", "mode", "breaker")
_RULE_NEEDS: Final = ("rule", "category", "when", "actions")
_MODES: Final = ("live", "shadow")
_BREAKER: Final = ("removals_per_hour", "least_share")
_NOT: Final = "not"
_KIND: Final = "kind"
_LANGUAGE: Final = "language"
# So much no policy needs, and one that grows by references would never be read to its end.
_MOST_RULES: Final = 2_000
_MOST_GROUPS: Final = 200
_MOST_CHARS: Final = 1_000_000
_MOST_REMOVALS: Final = 1_000_000_000


def load_policy(path: Path = DEFAULT_POLICY) -> Policy:
    """The policy in a file. Raises SettingError that shows every fault with file and line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read the policy {path}: {error}") from error
    return read_policy(str(path), text)


def read_policy(file: str, text: str) -> Policy:
    """As `load_policy`, from a text."""
    policy, faults = check_policy(file, text)
    if policy is None:
        raise refuse(f"the policy {file}", faults)
    return policy


def policy_from(text: str) -> Policy:
    """A policy that somebody sent. Raises InputError that shows every fault."""
    policy, faults = check_policy("policy", text)
    if policy is None:
        raise InputError(in_words("the policy", faults))
    return policy


def check_policy(file: str, text: str) -> tuple[Policy | None, list[FileFault]]:
    """The policy, or None and all that is wrong with it."""
    source = YamlFile(name=file, text=text)
    if len(text) > _MOST_CHARS:
        message = f"the policy has {len(text)} characters"
        source.fault_at(1, 1, message, f"expected at most {_MOST_CHARS}")
        return None, source.faults
    root = source.root()
    if root is None:
        return None, source.faults
    fields = source.fields(root, "the policy", (*_TOP, *_ALSO), _TOP)
    name = _name(source, fields.get("policy"), "the policy's name") or ""
    categories = _categories(source, fields.get("categories"))
    rules = _Rules(source, categories).read(fields.get("rules"))
    rights = read_rights(source, fields, set(categories))
    breaker = _breaker(source, fields.get("breaker")) or DEFAULT_BREAKER
    if source.faults:
        return None, source.faults
    policy = Policy(
        name=name,
        categories=categories,
        rules=rules,
        version=version_of(name, categories, rules, rights=rights, breaker=breaker),
        rights=rights,
        breaker=breaker,
    )
    return policy, []


def _name(source: YamlFile, node: yaml.Node | None, what: str) -> str | None:
    if node is None:
        return None
    text = source.text_of(node, what)
    if text is not None and not _NAME.fullmatch(text):
        source.fault(node, f"{what} is `{text}`", _NAME_HINT)
        return None
    return text


def _categories(source: YamlFile, node: yaml.Node | None) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for key, value in source.mapping(node, "categories") if node is not None else []:
        name = _name(source, key, "a category")
        if name in SIGNALS or name in (_NOT, _KIND, _LANGUAGE):
            source.fault(key, f"the category `{name}` has a signal's name", "choose another name")
        words = source.text_of(value, f"the meaning of `{key.value}`")
        if name is not None and words is not None:
            found[name] = words
    if node is not None and not found and not source.faults:
        source.fault(node, "there are no categories", "name at least one: `hate: attacks on …`")
    return MappingProxyType(found)


def _breaker(source: YamlFile, node: yaml.Node | None) -> BreakerLimit | None:
    if node is None:
        return None
    fields = source.fields(node, "breaker", _BREAKER, _BREAKER[:1])
    removals, share = (_number(source, fields.get(name)) for name in _BREAKER)
    if "removals_per_hour" in fields and (
        removals is None or not removals.is_integer() or not 1 <= removals <= _MOST_REMOVALS
    ):
        hint = f"expected a whole number from 1 to {_MOST_REMOVALS}"
        found = kind_of(fields["removals_per_hour"])
        source.fault(fields["removals_per_hour"], f"removals_per_hour is {found}", hint)
    if "least_share" in fields and (share is None or not 0.0 <= share < 1.0):
        found, hint = kind_of(fields["least_share"]), "expected a share from 0 to below 1"
        source.fault(fields["least_share"], f"least_share is {found}", hint)
    if source.faults:
        return None
    return BreakerLimit(removals_per_hour=int(removals or 0), least_share=share or 0.0)


def _number(source: YamlFile, node: yaml.Node | None) -> float | None:
    number = None if node is None else source.number_of(node)
    return number if number is not None and math.isfinite(number) else None


class _Rules:
    """Reads the list of rules; the names a condition may use depend on the categories."""

    def __init__(self, source: YamlFile, categories: Mapping[str, str]) -> None:
        self._source = source
        self._categories = categories
        self._signals = {*SIGNALS, *(kind + name for kind in BY_CATEGORY for name in categories)}

    def read(self, node: yaml.Node | None) -> tuple[Rule, ...]:
        if node is None:
            return ()
        lines: dict[str, int] = {}
        rules = []
        for element in _few(self._source, node, "rules", _MOST_RULES):
            rule = self._rule(element)
            if rule is None:
                continue
            line = element.start_mark.line + 1
            if rule.name in lines:
                hint = f"give this one or the one in line {lines[rule.name]} another name"
                self._source.fault(element, f"two rules are called `{rule.name}`", hint)
            lines.setdefault(rule.name, line)
            rules.append(rule)
        return tuple(rules)

    def _rule(self, node: yaml.Node) -> Rule | None:
        source, before = self._source, len(self._source.faults)
        fields = source.fields(node, "a rule", _RULE, _RULE_NEEDS)
        name = _name(source, fields.get("rule"), "the rule's name")
        category = self._category(fields.get("category"))
        when = self._when(fields["when"]) if "when" in fields else ()
        adult = self._actions(fields["actions"], "actions") if "actions" in fields else {}
        minor = (
            {**adult, **self._actions(fields["minors"], "minors")} if "minors" in fields else adult
        )
        why = source.text_of(fields["why"], "why") if "why" in fields else None
        mode = self._mode(fields.get("mode"))
        breaker = _breaker(source, fields.get("breaker"))
        if name is None or category is None or len(source.faults) > before:
            return None
        return Rule(
            name=name,
            category=category,
            when=when,
            adult=MappingProxyType(adult),
            minor=MappingProxyType(minor),
            why=why,
            shadow=mode == "shadow",
            breaker=breaker,
        )

    def _mode(self, node: yaml.Node | None) -> str:
        if node is None:
            return _MODES[0]
        text = self._source.text_of(node, "mode") or _MODES[0]
        if text not in _MODES:
            self._source.fault(node, f"unknown mode `{text}`", did_you_mean(text, _MODES))
        return text

    def _category(self, node: yaml.Node | None) -> str | None:
        text = self._source.text_of(node, "category") if node is not None else None
        if node is not None and text is not None and text not in self._categories:
            hint = did_you_mean(text, self._categories)
            self._source.fault(node, f"unknown category `{text}`", hint)
        return text

    def _when(self, node: yaml.Node) -> When:
        """A mapping (all must hold) or a list of mappings (any of them)."""
        before = len(self._source.faults)
        groups = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if len(groups) > _MOST_GROUPS:
            self._too_many(node)
            return ()
        found = tuple(group for node in groups for group in self._group(node, "when"))
        if len(found) > _MOST_GROUPS:
            self._too_many(node)
        if len(self._source.faults) == before and not (found and all(found)):
            self._source.fault(node, "`when` asks for nothing", "add a condition as `hate: 0.9`")
        return found

    def _group(self, node: yaml.Node, what: str) -> When:
        """What holds where all of a mapping does."""
        whole = ALWAYS
        for key, value in self._source.mapping(node, what):
            whole = both(whole, self._part(key, value))
            if len(whole) > _MOST_GROUPS:
                self._too_many(key)
                return ()
        return whole

    def _part(self, key: yaml.ScalarNode, value: yaml.Node) -> When:
        """What one line of a mapping asks."""
        name = key.value
        if name in self._categories:
            return ((self._condition("p", name, value),),)
        if name in self._signals:
            return ((self._condition("count", name, value),),)
        if name == _NOT:
            return self._none_of(value)
        if name == _KIND:
            return tuple(_is_kind(kind) for kind in self._words(value, name, KINDS))
        if name == _LANGUAGE:
            return tuple((_has(f"{LANGUAGE}{tag}"),) for tag in self._words(value, name, ()))
        known = {*self._categories, *self._signals, _NOT, _KIND, _LANGUAGE}
        hint = did_you_mean(name, known)
        self._source.fault(key, f"unknown category or signal `{name}`", hint)
        return ALWAYS

    def _none_of(self, node: yaml.Node) -> When:
        """What holds where no line of a mapping does."""
        whole = ALWAYS
        for key, value in self._source.mapping(node, _NOT):
            if key.value == _NOT:
                self._source.fault(key, "`not` inside `not`", "ask for the thing itself")
                continue
            whole = both(whole, neither(self._part(key, value)))
        if whole == ALWAYS and not self._source.faults:
            self._source.fault(node, "`not` names nothing", "add a condition as `links: 1`")
        return whole

    def _words(self, node: yaml.Node, what: str, known: Sequence[str]) -> list[str]:
        """One word or a list of them: one of `known`, or, where that is empty, of languages."""
        words: list[str] = []
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            word = self._source.text_of(part, what)
            if word is None:
                continue
            if known and word not in known:
                self._source.fault(part, f"unknown {what} `{word}`", did_you_mean(word, known))
            elif not known and not LANGUAGE_TAG.fullmatch(word):
                hint = "expected the two or three small letters of a language, as `de`"
                self._source.fault(part, f"unknown {what} `{word}`", hint)
            elif len(words) < _MOST_GROUPS:
                words.append(word)
        return words

    def _too_many(self, node: yaml.Node) -> None:
        message = f"more than {_MOST_GROUPS} alternatives in one rule"
        self._source.fault(node, message, "make several rules of it")

    def _condition(self, kind: Kind, name: str, node: yaml.Node) -> Condition:
        before = len(self._source.faults)
        bounds: Mapping[str, yaml.Node] = {"at_least": node}
        if isinstance(node, yaml.MappingNode):
            bounds = self._source.fields(node, f"`{name}`", _BOUNDS, ())
        limit = {bound: self._limit(kind, name, value) for bound, value in bounds.items()}
        low, high = limit.get("at_least", 0), limit.get("below", MISSING)
        if len(self._source.faults) == before:
            if not bounds:
                self._source.fault(node, f"`{name}` has no bound", "give at_least, below or both")
            elif low >= high:
                hint = "at_least must be smaller than below"
                self._source.fault(node, f"`{name}` can never hold", hint)
        return Condition(kind=kind, name=name, low=low, high=high)

    def _limit(self, kind: Kind, name: str, node: yaml.Node) -> int:
        """A bound as a whole number; 0 after a fault."""
        number = self._source.number_of(node)
        scale, most, expected = _SCALES[kind]
        scaled = round(number * scale) if number is not None and math.isfinite(number) else 0
        if not 0 < scaled <= most or number != scaled / scale:
            self._source.fault(node, f"the bound of `{name}` is {kind_of(node)}", expected)
            return 0
        return scaled

    def _actions(self, node: yaml.Node, what: str) -> dict[Surface, Action]:
        """Surface -> action; `everywhere` stands for the surfaces that are not named. One action
        alone means everywhere."""
        source = self._source
        if isinstance(node, yaml.ScalarNode):
            action = self._action(node)
            return dict.fromkeys(SURFACES, action) if action else {}
        given: dict[str, Action] = {}
        for key, value in source.mapping(node, what):
            action = self._action(value)
            if key.value not in (*SURFACES, _EVERYWHERE):
                hint = did_you_mean(key.value, (*SURFACES, _EVERYWHERE))
                source.fault(key, f"unknown surface `{key.value}`", hint)
            elif action is not None:
                given[key.value] = action
        if isinstance(node, yaml.MappingNode) and not node.value:
            source.fault(node, f"`{what}` is empty", "name a surface, as `everywhere: remove`")
        rest = given.pop(_EVERYWHERE, None)
        named = {surface: given.get(surface, rest) for surface in SURFACES}
        return {surface: action for surface, action in named.items() if action is not None}

    def _action(self, node: yaml.Node) -> Action | None:
        text = node.value if isinstance(node, yaml.ScalarNode) else None
        if text in ACTIONS:
            return cast("Action", text)
        hint = did_you_mean(text or "", ACTIONS)
        self._source.fault(node, f"unknown action {kind_of(node)}", hint)
        return None


def _has(signal: str) -> Condition:
    return Condition(kind="count", name=signal, low=1)


def _is_kind(kind: str) -> tuple[Condition, ...]:
    """A post of the plain kind is of no other."""
    if kind != PLAIN:
        return (_has(f"{KIND}{kind}"),)
    return tuple(replace(_has(f"{KIND}{other}"), negated=True) for other in KINDS if other != PLAIN)


def _few(source: YamlFile, node: yaml.Node, what: str, most: int) -> Iterator[yaml.Node]:
    """The elements of a list that is not too long."""
    if isinstance(node, yaml.SequenceNode) and len(node.value) > most:
        message = f"{what} has {len(node.value)} elements"
        source.fault(node, message, f"expected at most {most}")
        return
    yield from source.items(node, what)
