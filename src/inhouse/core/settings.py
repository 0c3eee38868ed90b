"""Settings: each package declares one frozen dataclass of `setting(...)` fields.

From these tables come the values, `inhouse doctor`, the documentation page and the checks.
A value is taken from the environment (`INHOUSE_<PACKAGE>_<NAME>`), then from `inhouse.toml`
(`[package]` section), then from the default.
"""

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast, get_type_hints

from inhouse.core.errors import Fault, SettingError

COMMUNITY: Final = "INHOUSE_COMMUNITY"  # the variable that names a community to a process

S = TypeVar("S")
Scalar = str | int | float | bool


def setting(
    default: Any,
    *,
    unit: str,
    help: str,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that is a setting. `unit` and `help` are what a person reads.

    Returns `Any` because `dataclasses.field` is typed by its default at the place of use.
    """
    facts = {"unit": unit, "help": help, "least": least, "most": most, "choices": choices}
    return dataclasses.field(default=default, metadata=facts)


@dataclass(frozen=True, kw_only=True)
class SettingRow:
    """One line of a settings table, for `doctor` and the docs."""

    package: str
    name: str
    default: Scalar
    unit: str
    help: str

    @property
    def variable(self) -> str:
        return variable_name(self.package, self.name)


def variable_name(package: str, name: str) -> str:
    """The environment variable that sets it."""
    return f"INHOUSE_{package}_{name}".upper()


def rows(package: str, table: type) -> list[SettingRow]:
    """The settings of one package in the order of their declaration."""
    return [
        SettingRow(
            package=package,
            name=field.name,
            default=cast("Scalar", field.default),
            unit=field.metadata["unit"],
            help=field.metadata["help"],
        )
        for field in dataclasses.fields(table)
    ]


def read_file(path: Path) -> Mapping[str, Mapping[str, object]]:
    """The sections of `inhouse.toml`; an absent file is an empty one."""
    if not path.exists():
        return {}
    try:
        sections = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"cannot read {path}: {error}; mend the line or remove the file"
        ) from error
    faults = [
        Fault(field=name, value=repr(value)[:80], expected=f"a section, [{name}], with settings")
        for name, value in sections.items()
        if not isinstance(value, dict)
    ]
    if faults:
        raise SettingError(f"{path} holds settings outside of a section", faults)
    return sections


def load(
    package: str,
    table: type[S],
    environment: Mapping[str, str],
    file: Mapping[str, Mapping[str, object]],
) -> S:
    """Values for one package. Raises SettingError that lists every fault at once."""
    section = file.get(package, {})
    kinds = get_type_hints(table)
    faults: list[Fault] = []
    values: dict[str, Scalar] = {}
    fields = {field.name: field for field in dataclasses.fields(cast("Any", table))}
    for name in section.keys() - fields.keys():
        expected = "one of " + ", ".join(sorted(fields))
        faults.append(
            Fault(
                field=f"[{package}] {name}",
                value="a setting that does not exist",
                expected=expected,
            )
        )
    for name, field in fields.items():
        variable = variable_name(package, name)
        given = environment.get(variable, section.get(name))
        if given is None:
            continue
        where = variable if variable in environment else f"[{package}] {name}"
        parsed = _parse(given, kinds[name])
        fault = _fault(where, given, parsed, kinds[name], field.metadata)
        if fault is None:
            values[name] = cast("Scalar", parsed)
        else:
            faults.append(fault)
    if faults:
        raise SettingError(f"{len(faults)} setting(s) of {package} cannot be used", faults)
    return table(**values)


def _parse(given: object, kind: type) -> Scalar | None:
    """`given` as `kind`, or None where it is not one."""
    text = str(given).strip()
    if kind is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            text.lower()
        )
    if kind is str:
        return text
    try:
        number = int(text) if kind is int else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fault(
    where: str, given: object, parsed: Scalar | None, kind: type, facts: Mapping[str, Any]
) -> Fault | None:
    shown = repr(given)[:80]
    if parsed is None:
        return Fault(field=where, value=shown, expected=f"a value of type {kind.__name__}")
    if facts["choices"] and parsed not in facts["choices"]:
        return Fault(field=where, value=shown, expected="one of " + ", ".join(facts["choices"]))
    least, most = facts["least"], facts["most"]
    below = least is not None and cast("float", parsed) < least
    above = most is not None and cast("float", parsed) > most
    if below or above:
        low = "-inf" if least is None else f"{least:g}"
        high = "inf" if most is None else f"{most:g}"
        return Fault(field=where, value=shown, expected=f"{low} to {high} {facts['unit']}")
    return None
