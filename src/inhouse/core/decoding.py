"""What a decoder of JSON raises at bytes from outside, in one tuple for `except`."""

from typing import Final

import msgspec

# The last one where values nest deeper than the decoder goes.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
