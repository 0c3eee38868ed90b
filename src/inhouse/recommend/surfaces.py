"""The kinds of page there are."""

from typing import Final, Literal, get_args

Surface = Literal["for_you", "following", "latest", "trending", "similar"]
SURFACES: Final[tuple[Surface, ...]] = get_args(Surface)
