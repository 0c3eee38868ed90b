"""The manifest of a snapshot: what it says of itself, what it was made for, its files' digests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from inhouse.core.errors import SnapshotError
from inhouse.events.types import LEARNED_KINDS
from inhouse.features.candidates import FEATURE_NAMES

FORMAT: Final = 1


def manifest_of(facts: Mapping[str, object], digests: Mapping[str, str]) -> bytes:
    """Of facts by name and the digest of each file."""
    told = {
        "format": FORMAT,
        "features": list(FEATURE_NAMES),
        "event_kinds": list(LEARNED_KINDS),
        "facts": dict(facts),
        "files": dict(digests),
    }
    return (json.dumps(told, indent=2) + "\n").encode()


def read_manifest(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Facts by name, and the digest of each file.

    Raises SnapshotError where it cannot be read, or was made for another version than this one.
    """
    name = path.parent.name
    try:
        told = json.loads(path.read_text("utf-8"))
        facts = dict(told["facts"])
        files = {str(file): str(digest) for file, digest in told["files"].items()}
        made_for = (told["format"], told["features"], told["event_kinds"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SnapshotError(f"snapshot {name}: cannot read its manifest") from error
    if made_for != (FORMAT, list(FEATURE_NAMES), list(LEARNED_KINDS)):
        raise SnapshotError(
            f"snapshot {name}: made for other features, kinds of event or format than "
            f"this version's (format {FORMAT}); train a new one"
        )
    return facts, files
