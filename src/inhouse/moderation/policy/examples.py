"""Examples beside a policy: texts that must and must not match, tried at every change.

    examples:
      - text: buy followers now, b1t.ly/x
        must: spam_clear
      - text: I read a book about spam
        must_not: anything
      - text: whatever it says
        scores: {hate: 0.97}
        must: [hate_clear]
        must_not: spam

`must` and `must_not` name rules or categories; `scores` stand for a model's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from inhouse.core.errors import SettingError
from inhouse.core.faults import FileFault, did_you_mean, refuse
from inhouse.moderation.policy.match import Matcher, numbers_of
from inhouse.moderation.policy.nodes import YamlFile, kind_of
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.signals.read import SignalReader
from inhouse.moderation.types import Evidence, Label

DEFAULT_EXAMPLES: Final = Path(__file__).parent / "examples.yaml"
_ANYTHING: Final = "anything"
_FIELDS: Final = ("text", "scores", "must", "must_not")


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A text and what the policy must make of it."""

    text: str
    line: int  # where it stands in the file
    column: int
    scores: Mapping[str, float] = field(default_factory=dict)  # category -> what a model would say
    must: tuple[str, ...] = ()  # rules or categories that hold
    must_not: tuple[str, ...] = ()  # rules or categories that do not; `anything` for all


@dataclass(frozen=True, kw_only=True, slots=True)
class ExampleFile:
    """Examples with the file they came from, so that a failure can point at its line."""

    source: YamlFile
    examples: tuple[Example, ...]


def load_examples(policy: Policy, path: Path = DEFAULT_EXAMPLES) -> ExampleFile:
    """The examples in a file. Raises SettingError that shows every fault with file and line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read the examples {path}: {error}") from error
    return read_examples(policy, str(path), text)


def read_examples(policy: Policy, file: str, text: str) -> ExampleFile:
    """As `load_examples`, from a text."""
    source = YamlFile(name=file, text=text)
    root = source.root()
    fields = source.fields(root, "the file", ("examples",), ("examples",)) if root else {}
    nodes = source.items(fields["examples"], "examples") if "examples" in fields else ()
    examples = tuple(example for node in nodes if (example := _example(source, policy, node)))
    if source.faults:
        raise refuse(f"the examples {file}", source.faults)
    return ExampleFile(source=source, examples=examples)


def run_examples(file: ExampleFile, policy: Policy, reader: SignalReader) -> list[FileFault]:
    """What did not come out as the examples say; empty where all did."""
    failures = YamlFile(name=file.source.name, text=file.source.text)
    matcher = Matcher([rule.when for rule in policy.rules])
    for example in file.examples:
        matched = [policy.rules[place].name for place in _holding(example, matcher, reader)]
        shown = ", ".join(f"`{name}`" for name in matched) or "nothing"
        for name in example.must:
            if not _named(name, matched, policy):
                message = f"must match `{name}`, but matches {shown}"
                _fail(failures, example, message, "change the rule's conditions or the example")
        for name in example.must_not:
            if matched if name == _ANYTHING else _named(name, matched, policy):
                message = f"must not match {name}, but matches {shown}"
                _fail(failures, example, message, "change the rule's conditions or the example")
    return failures.faults


def _holding(example: Example, matcher: Matcher, reader: SignalReader) -> list[int]:
    """The places of the rules that hold."""
    reading = reader.read(example.text)
    said = tuple(Label(category=c, p=p, source="example") for c, p in example.scores.items())
    known = numbers_of(Evidence(labels=(*reading.labels, *said), signals=reading.signals))
    held = matcher.held(matcher.table_of_one(known))[:, 0]
    return [place for place, holds in enumerate(held) if holds]


def _named(name: str, matched: Sequence[str], policy: Policy) -> bool:
    """Whether a rule of that name, or any of that category, holds."""
    return any(r.name in matched and name in (r.name, r.category) for r in policy.rules)


def _fail(failures: YamlFile, example: Example, message: str, hint: str) -> None:
    failures.fault_at(example.line, example.column, message, hint)


def _example(source: YamlFile, policy: Policy, node: yaml.Node) -> Example | None:
    before = len(source.faults)
    fields = source.fields(node, "an example", _FIELDS, ("text",))
    text = source.text_of(fields["text"], "text") if "text" in fields else None
    names = {rule.name for rule in policy.rules} | set(policy.categories)
    must = _names(source, fields.get("must"), names)
    must_not = _names(source, fields.get("must_not"), names | {_ANYTHING})
    scores = _scores(source, fields.get("scores"), policy)
    if len(source.faults) == before and not must and not must_not:
        source.fault(node, "an example asks for nothing", "add a line `must:` or `must_not:`")
    if text is None or len(source.faults) > before:
        return None
    mark = node.start_mark
    return Example(
        text=text,
        line=mark.line + 1,
        column=mark.column + 1,
        scores=scores,
        must=must,
        must_not=must_not,
    )


def _names(source: YamlFile, node: yaml.Node | None, known: set[str]) -> tuple[str, ...]:
    """One name or a list of them."""
    if node is None:
        return ()
    found = []
    for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        name = source.text_of(part, "a name")
        if name is not None and name not in known:
            source.fault(part, f"no rule or category is called `{name}`", did_you_mean(name, known))
        elif name is not None:
            found.append(name)
    return tuple(found)


def _scores(source: YamlFile, node: yaml.Node | None, policy: Policy) -> dict[str, float]:
    scores: dict[str, float] = {}
    for key, value in source.mapping(node, "scores") if node is not None else []:
        p = source.number_of(value)
        if key.value not in policy.categories:
            hint = did_you_mean(key.value, policy.categories)
            source.fault(key, f"unknown category `{key.value}`", hint)
        elif p is None or not 0.0 <= p <= 1.0:
            hint = "expected a probability from 0 to 1"
            source.fault(value, f"the score of `{key.value}` is {kind_of(value)}", hint)
        else:
            scores[key.value] = p
    return scores
