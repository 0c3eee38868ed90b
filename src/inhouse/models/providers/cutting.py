"""Cutting many texts into requests."""

from collections.abc import Sequence

from inhouse.models.types import TaskInput


def split_by_size(
    inputs: Sequence[TaskInput], most: int, most_chars: int
) -> list[tuple[TaskInput, ...]]:
    """Cut in order into parts of at most `most` texts and `most_chars` characters; one text that
    is longer stands alone."""
    parts: list[tuple[TaskInput, ...]] = []
    part: list[TaskInput] = []
    chars = 0
    for given in inputs:
        if part and (len(part) >= most or chars + len(given.text) > most_chars):
            parts.append(tuple(part))
            part, chars = [], 0
        part.append(given)
        chars += len(given.text)
    return [*parts, tuple(part)] if part else parts
