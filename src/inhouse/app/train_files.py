"""What a model of a file of sequences may know of the items besides their ids."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from inhouse.app.imports.tabular import table_by_name
from inhouse.catalog.types import Item
from inhouse.core.errors import InputError
from inhouse.features.content import CONTENT_DIMS, content_vector
from inhouse.learning.sequences.flat import Catalogue

_SHOWN: Final = 5


def catalogue_with(path: Path, names: Sequence[str]) -> Catalogue:
    """The named items, and behind them those of the file that nobody had, with their content.

    A named item that the file lacks is known by its id alone. Raises InputError where rows of the
    file are wrong, naming the first few.
    """
    posts: dict[str, Item] = {}
    wrong: list[str] = []
    for row in table_by_name(path, "items").read():
        if isinstance(row.record, Item):
            posts[row.record.item_id] = row.record
        elif row.bad is not None:
            wrong.append(
                f"{row.where}: {row.bad.field} is {row.bad.value}, expected {row.bad.expected}"
            )
    if wrong:
        more = f"\nand {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise InputError("\n".join(wrong[:_SHOWN]) + more)
    known = set(names)
    every = Catalogue.of_ids([*names, *(name for name in posts if name not in known)])
    blank = np.zeros(CONTENT_DIMS, dtype=np.float32)
    content = [content_vector(posts[name]) if name in posts else blank for name in every.item_ids]
    return Catalogue(item_ids=every.item_ids, content=np.array(content, dtype=np.float32))
