"""Faults in files that people write: shown with file, line, caret and a hint, all at once."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from inhouse.core.errors import Fault, SettingError

_MOST_SHOWN: Final = 200  # characters of a line


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFault:
    """One thing wrong at one place of a file."""

    file: str  # as the person named it
    line: int  # from 1
    column: int  # from 1
    source: str  # the line as it stands in the file
    message: str  # what is wrong, naming the value
    hint: str  # what to do

    def __str__(self) -> str:
        number = str(self.line)
        margin = " " * len(number)
        caret = " " * (self.column - 1) + "^"
        return "\n".join(
            (
                f"{self.file}:{self.line}:{self.column}: {self.message}",
                f"  {number} | {self.source}",
                f"  {margin} | {caret}",
                f"  {margin} = {self.hint}",
            )
        )


def refuse(what: str, faults: Sequence[FileFault]) -> SettingError:
    """The error that shows every fault."""
    return SettingError(in_words(what, faults))


def in_words(what: str, faults: Sequence[FileFault]) -> str:
    """Every fault, in the order of the lines."""
    ordered = sorted(faults, key=lambda fault: (fault.file, fault.line, fault.column))
    count = f"{len(ordered)} fault{'' if len(ordered) == 1 else 's'}"
    return "\n\n".join((f"{count} in {what}", *map(str, ordered)))


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, else all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else "expected one of: " + ", ".join(names)


def refuse_toml(file: str, text: str, faults: Sequence[Fault]) -> SettingError:
    """The error that shows each fault where it stands in a TOML file, and lists them too."""
    error = refuse(file, [in_toml(file, text, fault) for fault in faults])
    error.faults = tuple(faults)
    return error


def in_toml(file: str, text: str, fault: Fault) -> FileFault:
    """Where in a TOML file of tables a fault named `table.key` or `[table]` stands; at its
    beginning where it is about nothing that stands there."""
    lines = text.splitlines() or [""]
    name = fault.field.strip("[]")
    line, column = _place(lines, name.split("."))
    return FileFault(
        file=file,
        line=line + 1,
        column=column + 1,
        source=lines[line][:_MOST_SHOWN],
        message=f"{fault.field}: got {fault.value}",
        hint=f"expected {fault.expected}",
    )


def _place(lines: Sequence[str], parts: Sequence[str]) -> tuple[int, int]:
    """Line and column, from 0, of the longest beginning of a dotted name that stands there."""
    for depth in range(len(parts), 0, -1):
        table = ".".join(parts[:depth])
        headers = [n for n, line in enumerate(lines) if line.strip().startswith(f"[{table}]")]
        if headers:
            return headers[0], lines[headers[0]].index("[")
        within, key = ".".join(parts[: depth - 1]), parts[depth - 1]
        begun = not within
        for number, line in enumerate(lines):
            bare = line.strip()
            if bare.startswith("["):
                begun = bare.startswith(f"[{within}]")
            elif begun and bare.partition("=")[0].strip() == key:
                given = line.partition("=")[2]
                return number, len(line) - len(given.lstrip()) if given.strip() else 0
    return 0, 0
