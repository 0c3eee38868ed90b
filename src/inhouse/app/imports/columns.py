"""Column maps: which column of a file fills which field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inhouse.app.imports.fields import RULES, FieldRule
from inhouse.core.errors import Fault, InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnMap:
    """Where each field's value comes from."""

    table: str  # items, users, events or labels
    columns: Mapping[str, str]  # field -> column of the file
    constants: Mapping[str, str]  # field -> the same value for every row


def column_map(
    table: str, given: Sequence[str], found: Sequence[str] | None, path: Path
) -> ColumnMap:
    """From `field=column` and `field=:value` pairs; a column named as a field fills it by itself.

    found: the file's columns; None where rows may differ (JSON lines), so that none can be missing.
    Raises InputError that lists every fault.
    """
    rules = RULES.get(table)
    if rules is None:
        raise InputError(f"cannot import {table!r}; it is one of {', '.join(RULES)}")
    columns = {name: name for name in rules if found is None or name in found}
    constants: dict[str, str] = {}
    faults: list[Fault] = []
    for pair in given:
        field, sign, source = pair.partition("=")
        if fault := _pair_fault(pair, field, sign, source, rules, found):
            faults.append(fault)
        elif source.startswith(":"):
            constants[field] = source[1:]
            columns.pop(field, None)
        else:
            columns[field] = source
    columns = _without_rivals(columns, {pair.partition("=")[0] for pair in given}, rules)
    faults.extend(_missing(rules, columns.keys() | constants.keys()))
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(f"the columns of {path} cannot be used\n{lines}")
    return ColumnMap(table=table, columns=columns, constants=constants)


def _pair_fault(
    pair: str,
    field: str,
    sign: str,
    source: str,
    rules: Mapping[str, FieldRule],
    found: Sequence[str] | None,
) -> Fault | None:
    if not sign or not source:
        return Fault(field="map", value=repr(pair), expected="field=column or field=:value")
    if field not in rules:
        return Fault(field="map", value=repr(field), expected="one of " + ", ".join(rules))
    if not source.startswith(":") and found is not None and source not in found:
        return Fault(field=field, value=repr(source), expected="one of " + ", ".join(found))
    return None


def _without_rivals(
    columns: Mapping[str, str], chosen: set[str], rules: Mapping[str, FieldRule]
) -> dict[str, str]:
    """Where a pair was given for an attribute, a column that only bears its name steps back."""
    taken = {rules[field].attribute for field in chosen if field in rules}
    return {
        field: column
        for field, column in columns.items()
        if field in chosen or rules[field].attribute not in taken
    }


def _missing(rules: Mapping[str, FieldRule], filled: set[str]) -> list[Fault]:
    attributes = {rules[field].attribute for field in filled}
    needed: dict[str, str] = {}
    for name, rule in rules.items():
        if rule.required:
            needed.setdefault(rule.attribute, name)
    return [
        Fault(field=name, value="no column", expected=f"{name}=COLUMN, or {name}=:VALUE for all")
        for attribute, name in needed.items()
        if attribute not in attributes
    ]
