"""Faults in files that people write: shown with file, line, caret and a hint, all at once."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inhouse.core.errors import SettingError


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
