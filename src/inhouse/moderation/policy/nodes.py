"""Walking a YAML file with the place of everything in it, collecting faults instead of stopping."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from inhouse.core.faults import FileFault, did_you_mean


@dataclass(kw_only=True)
class YamlFile:
    """A file being read, and what is wrong with it so far."""

    name: str  # as the person named it
    text: str
    faults: list[FileFault] = field(default_factory=list)

    def root(self) -> yaml.Node | None:
        """The document, or None and a fault where it is no YAML or empty."""
        try:
            root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            self.fault_at(
                line, column, f"not YAML: {error.problem}", "mend the line or the one above"
            )
        except RecursionError:
            hint = "write it flat: a list of rules, each with a few lines"
            self.fault_at(1, 1, "not a file anybody wrote: it is nested too deeply", hint)
        except yaml.YAMLError:
            hint = "save the file as UTF-8 without control characters"
            self.fault_at(1, 1, "not YAML: a character that is not allowed", hint)
        else:
            if root is None:
                self.fault_at(1, 1, "the file is empty", "begin with `policy: NAME`")
            return root
        return None

    def fault(self, node: yaml.Node, message: str, hint: str) -> None:
        """Something wrong at a node."""
        self.fault_at(node.start_mark.line + 1, node.start_mark.column + 1, message, hint)

    def fault_at(self, line: int, column: int, message: str, hint: str) -> None:
        lines = self.text.splitlines()
        source = lines[line - 1] if 0 < line <= len(lines) else ""
        self.faults.append(
            FileFault(
                file=self.name, line=line, column=column, source=source, message=message, hint=hint
            )
        )

    def mapping(self, node: yaml.Node, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """The pairs of a mapping; a key twice is a fault, and the first counts."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{what} is {kind_of(node)}", "expected `name: value` lines")
            return []
        pairs: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fault(key, f"a key of {what} is {kind_of(key)}", "expected a name")
            elif key.value in pairs:
                first = pairs[key.value][0].start_mark.line + 1
                hint = f"remove this one or the one in line {first}"
                self.fault(key, f"`{key.value}` stands twice in {what}", hint)
            else:
                pairs[key.value] = key, value
        return list(pairs.values())

    def fields(
        self, node: yaml.Node, what: str, known: Sequence[str], needed: Sequence[str]
    ) -> Mapping[str, yaml.Node]:
        """The known fields of a mapping; unknown and missing ones are faults."""
        pairs = self.mapping(node, what)
        for key, _ in pairs:
            if key.value not in known:
                self.fault(
                    key, f"unknown field `{key.value}` in {what}", did_you_mean(key.value, known)
                )
        found = {key.value: value for key, value in pairs if key.value in known}
        if isinstance(node, yaml.MappingNode):
            for name in needed:
                if name not in found:
                    self.fault(node, f"{what} has no `{name}`", f"add a line `{name}: …`")
        return found

    def items(self, node: yaml.Node, what: str) -> Iterator[yaml.Node]:
        """The elements of a list."""
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        else:
            self.fault(
                node, f"{what} is {kind_of(node)}", "expected a list, each element after a `-`"
            )

    def text_of(self, node: yaml.Node, what: str) -> str | None:
        """A text that is not empty."""
        if isinstance(node, yaml.ScalarNode) and node.value.strip() and node.tag != _NULL:
            return str(node.value).strip()
        self.fault(node, f"{what} is {kind_of(node)}", "expected a text")
        return None

    def number_of(self, node: yaml.Node) -> float | None:
        """A number, or None (no fault: the caller knows what was expected)."""
        if isinstance(node, yaml.ScalarNode) and node.tag in (_INT, _FLOAT) and node.style is None:
            try:
                return float(node.value.replace("_", ""))
            except ValueError:
                return None
        return None


_NULL = "tag:yaml.org,2002:null"
_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"


def kind_of(node: yaml.Node) -> str:
    """What a person would call the node."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return f"`{node.value}`" if node.value else "empty"
