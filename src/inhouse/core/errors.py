"""The one exception tree.

InhouseError
├── InputError            the caller asked wrongly (HTTP 400, exit code 2)
│   ├── UnknownError      a named thing does not exist (HTTP 404)
│   ├── PictureError      a picture of a call cannot be looked at; a code says why (HTTP 400)
│   ├── ConflictError     it exists already, or is in a state that forbids this (HTTP 409)
│   └── SettingError      a setting or a policy file is wrong; all faults are listed
├── AccessError           no key, a wrong key, or a scope is missing (HTTP 401 or 403)
├── BusyError             too many ask at once; come back later (HTTP 429)
│   ├── SpentError        a key's budget does not allow the call (HTTP 429)
│   └── LimitedError      a key's rate limit does not allow the call now (HTTP 429)
├── StoreError            the database or the data folder refused (HTTP 503)
├── WorkError             a piece of work handed to an executor failed; names which
├── SnapshotError         a model snapshot is missing, torn or of the wrong shape
└── VendorError           a model provider failed after all retries and fallbacks (HTTP 502)

A message is lower case, names the value, the range allowed and what to do next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class InhouseError(Exception):
    """Root of everything inhouse raises on purpose."""


class InputError(InhouseError):
    """The caller asked wrongly; the message says what was expected."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        """field: which part of what was given, where a program may want to know."""
        super().__init__(message)
        self.field = field


class UnknownError(InputError):
    """A named thing does not exist."""


class PictureError(InputError):
    """A picture of a call cannot be looked at."""

    def __init__(self, message: str, *, field: str, code: str) -> None:
        """code: why, in the words of the format that the picture came in."""
        super().__init__(message, field=field)
        self.code = code


class ConflictError(InputError):
    """The thing exists already, or its state forbids the request."""


class AccessError(InhouseError):
    """The key is missing, wrong, or lacks the scope."""

    def __init__(self, message: str, *, known_key: bool = False) -> None:
        super().__init__(message)
        self.known_key = known_key


class BusyError(InhouseError):
    """Too many ask at once; the same request is good later."""

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SpentError(BusyError):
    """A key's budget does not allow the call."""


class LimitedError(BusyError):
    """A key's rate limit does not allow the call now."""

    def __init__(self, message: str, *, retry_after_s: int, headers: Mapping[str, str]) -> None:
        """headers: how the key stands, as clients read it."""
        super().__init__(message, retry_after_s=retry_after_s)
        self.headers = headers


class StoreError(InhouseError):
    """The database or the data folder refused."""


class WorkError(InhouseError):
    """A piece of work handed to an executor failed."""

    def __init__(self, index: int, cause: BaseException) -> None:
        super().__init__(
            f"item {index} of the work failed: {type(cause).__name__}: {cause};"
            " mend the item or the function, then start again"
        )
        self.index = index


class SnapshotError(InhouseError):
    """A model snapshot is missing, torn or of the wrong shape."""


class VendorError(InhouseError):
    """A model provider failed after all retries and fallbacks."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing wrong with an input of many parts."""

    field: str  # dotted name of the part, `events[3].kind`
    value: str  # what was given, shortened
    expected: str  # what would have been right

    def __str__(self) -> str:
        return f"{self.field}: got {self.value}, expected {self.expected}"


class SettingError(InputError):
    """Settings or a policy file are wrong; every fault is listed."""

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        lines = [message, *(f"  {fault}" for fault in faults)]
        super().__init__("\n".join(lines))
        self.faults = tuple(faults)
