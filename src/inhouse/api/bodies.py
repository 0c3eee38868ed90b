"""Bodies in others' formats, from bytes."""

import re
from typing import Final, TypeVar

import msgspec

from inhouse.core.decoding import UNREADABLE
from inhouse.core.errors import InputError

T = TypeVar("T")
_PATH: Final = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(\w+)`")


def read_body(body: bytes, kind: type[T]) -> T:
    """JSON of that shape; fields that are not asked about are passed over, as clients grow new
    ones. Raises InputError that names the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise _wrong(str(error)) from error


def _wrong(told: str) -> InputError:
    match = _PATH.match(told)
    problem, path = (match["problem"], match["path"] or "") if match else (told, "")
    missing = _MISSING.search(problem)
    if missing:
        path = f"{path}.{missing[1]}" if path else missing[1]
        problem = "is required"
    return InputError(f"{path or 'body'}: {problem[:1].lower()}{problem[1:]}", field=path or None)
