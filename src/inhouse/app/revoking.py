"""What becomes of all that hangs on a key when it becomes void, or its calls are kept no longer."""

from contextlib import suppress

from inhouse.app.parts import Parts
from inhouse.core.errors import UnknownError
from inhouse.models.harvest.pairs import forget_pairs_of


def revoke(parts: Parts, key_id: str, *, forget: bool) -> int:
    """Make a key void: its budget and its limits end with it, its answers are given to nobody any
    more, and nothing that is still under way is kept to learn from.

    forget: whether what was kept of its calls goes too; returns how many of them went. Raises
    UnknownError.
    """
    parts.keys.revoke(key_id)
    with suppress(UnknownError):
        parts.budgets.remove(key_id)
    with suppress(UnknownError):
        parts.limits.remove(key_id)
    return keep_no_calls(parts, key_id, forget=forget)


def keep_no_calls(parts: Parts, key_id: str, *, forget: bool) -> int:
    """Keep nothing any more of the calls passed on with a key. forget: whether what was kept goes
    too; returns how many of these went. Raises UnknownError."""
    parts.keys.keep_calls(key_id, keep=False)
    if not forget:
        return 0
    # Behind the other transaction, so whoever was about to write a pair has done so or will not.
    return parts.database.write(lambda connection: forget_pairs_of(connection, key_id))
