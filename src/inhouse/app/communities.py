"""The communities of one installation: their names, their folders, what each sets its own way.

A named community is a folder in `<data>/communities` that holds a settings file of its own; its
database (on PostgreSQL its schema), snapshots, models and checkpoints lie there too. The community
without a name is the data folder itself.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from inhouse.app.settings import SECTIONS, SETTINGS_FILE, Settings, load_settings
from inhouse.core.errors import ConflictError, Fault, InputError, SettingError, UnknownError
from inhouse.core.files import write_atomically
from inhouse.core.settings import COMMUNITY, load, read_file
from inhouse.store.database import schema_of

FOLDER: Final = "communities"
MOST: Final = 64  # each costs every process memory
_NAME: Final = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,31}")
NAME_RULE: Final = (
    "1 to 32 of a-z 0-9 -, a letter first, no dash last or twice in a row, and not `default`"
)
_TAKEN: Final = "default"  # what lists call the community without a name
_REMOVED: Final = f"{SETTINGS_FILE}.removed"
# What one process does for all communities at once is set for all at once.
_SHARED: Final = frozenset(
    (
        "app.log_level",
        "app.follow_ms",
        "app.worker_pause_ms",
        "app.learn_every_s",
        "models.students_port",
        "models.students_at_once",
        "models.students_waiting",
        "models.students_kept_mb",
    )
)
_SHARED_PACKAGE: Final = "api"
_OWN_ORIGIN: Final = "api.public_origin"
# The place is given by the name, so that no two communities can ever share one.
_GIVEN: Final = frozenset(("store.folder",))
_EXAMPLE: Final = """# The settings of one community, in sections as in the installation's own
# file, which holds where this one is silent. Paths begin in this folder. Rented models stand in
# vendors.toml beside it, tasks of its own in tasks.toml.
# docs/guides/communities.md tells what may stand here.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A named community as the data folder has it."""

    name: str
    folder: Path  # of all its files
    removed: bool  # whether nobody serves it any more


def is_valid_name(name: str) -> bool:
    """Whether a community may be called so.

    >>> [is_valid_name(name) for name in ("book-club", "Book", "a--b", "../a", "default")]
    [True, False, False, False, False]
    """
    return _NAME.fullmatch(name) is not None and name != _TAKEN


def label_of(name: str) -> str:
    """What people read for a name: the one without a name is `default`."""
    return name or _TAKEN


def names_in(home: Settings) -> list[str]:
    """The named communities that are served, in the order of the alphabet."""
    return [place.name for place in places_in(home) if not place.removed]


def places_in(home: Settings) -> list[Place]:
    """Every named community there is, removed ones too."""
    root = home.folder / FOLDER
    try:
        names = sorted(path.name for path in root.iterdir())
    except OSError:  # there is no such folder before the first is made
        return []
    return [
        Place(name=name, folder=root / name, removed=not (root / name / SETTINGS_FILE).exists())
        for name in names
        if is_valid_name(name) and _is_community(root / name)
    ]


def _is_community(folder: Path) -> bool:
    return (folder / SETTINGS_FILE).exists() or (folder / _REMOVED).exists()


def chosen_settings() -> Settings:
    """The settings of the community that INHOUSE_COMMUNITY names; the installation's own without.

    Every command asks here, so here is where the name is checked. Raises InputError where it is
    none, UnknownError where there is no such community, SettingError.
    """
    home, name = load_settings(), chosen_name()
    return settings_of(home, name) if name else home


def chosen_name() -> str:
    """The community that this process was told to be about; empty for none."""
    return os.environ.get(COMMUNITY, "")


def settings_of(home: Settings, name: str) -> Settings:
    """A named community's: its own file over the installation's. Raises as `chosen_settings`."""
    place = _place(home, name)
    if place.removed:
        raise UnknownError(
            f"the community {name!r} is removed; "
            f"`inhouse communities restore {name}` brings it back"
        )
    file = place.folder / SETTINGS_FILE
    own = _with_paths(read_file(file), place.folder)
    faults = _misplaced(own)
    if faults:
        raise SettingError(f"{len(faults)} setting(s) in {file} cannot stand there", faults)
    inherited = _inheritable(home, place.folder)
    values: dict[str, Any] = {}
    for package, table in SECTIONS.items():
        section = {**inherited[package], **own.get(package, {})}
        try:
            values[package] = load(package, table, {}, {package: section})
        except SettingError as error:
            raise SettingError(f"{file} cannot be used", error.faults) from None
    return replace(home, community=name, **values)


def add(home: Settings, name: str, console_port: int | None = None) -> Settings:
    """Make a community; its database is made when it is first opened. Returns its settings.

    Raises InputError, and ConflictError where the name is taken or there are too many.
    """
    _check(name)
    there = {place.name: place for place in places_in(home)}
    if name in there:
        raise ConflictError(_taken(there[name]))
    if len(there) >= MOST:
        raise ConflictError(
            f"there are {len(there)} communities, expected at most {MOST} in one installation; "
            "start another with INHOUSE_STORE_FOLDER"
        )
    text = _EXAMPLE
    if console_port is not None:
        origin = f"http://{home.console.host}:{console_port}"
        text += f'\n[console]\nport = {console_port}\n\n[api]\npublic_origin = "{origin}"\n'
    write_atomically(home.folder / FOLDER / name / SETTINGS_FILE, text.encode())
    return settings_of(home, name)


def remove(home: Settings, name: str) -> Place:
    """Let nobody serve it any more. Its folder and database stay as they are."""
    place = _place(home, name)
    if place.removed:
        raise ConflictError(
            f"the community {name!r} is removed already; its data is {place.folder}"
        )
    (place.folder / SETTINGS_FILE).rename(place.folder / _REMOVED)
    return replace(place, removed=True)


def restore(home: Settings, name: str) -> Place:
    """Serve a removed one again, with all that it held."""
    place = _place(home, name)
    if not place.removed:
        raise ConflictError(f"the community {name!r} is not removed")
    (place.folder / _REMOVED).rename(place.folder / SETTINGS_FILE)
    return replace(place, removed=False)


def _place(home: Settings, name: str) -> Place:
    _check(name)
    found = next((place for place in places_in(home) if place.name == name), None)
    if found is None:
        raise UnknownError(
            f"no community {name!r} in {home.folder}; `inhouse communities list` shows them"
        )
    return found


def _check(name: str) -> None:
    if not is_valid_name(name):
        raise InputError(f"community: got {name[:80]!r}, expected {NAME_RULE}")


def _taken(place: Place) -> str:
    if place.removed:
        return (
            f"{place.folder} holds the removed community {place.name!r}; bring it back with "
            f"`inhouse communities restore {place.name}`, or delete that folder first"
        )
    return f"the community {place.name!r} exists already"


def _with_paths(
    own: Mapping[str, Mapping[str, object]], folder: Path
) -> dict[str, dict[str, object]]:
    """Paths of the file begin where the file is."""
    return {
        package: {
            name: str(folder / str(value)) if value and _is_path(package, name) else value
            for name, value in section.items()
        }
        for package, section in own.items()
    }


def _is_path(package: str, name: str) -> bool:
    known: dict[str, Any] = {field.name: field for field in fields(SECTIONS.get(package, Place))}
    return name in known and known[name].metadata.get("unit") == "path"


def _misplaced(own: Mapping[str, Mapping[str, object]]) -> list[Fault]:
    return [
        Fault(field=field, value=repr(value)[:80], expected=expected)
        for field, value, expected in _complaints(own)
    ]


def _complaints(own: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, object, str]]:
    for package, section in own.items():
        if package not in SECTIONS:
            yield f"[{package}]", section, "one of " + ", ".join(SECTIONS)
            continue
        for name, value in section.items():
            full = f"{package}.{name}"
            if full in _GIVEN:
                yield f"[{package}] {name}", value, "nothing: a community's place is its name's"
            elif full in _SHARED or (package == _SHARED_PACKAGE and full != _OWN_ORIGIN):
                expected = "nothing: set it for all in the installation's own file"
                yield f"[{package}] {name}", value, expected


def _inheritable(home: Settings, folder: Path) -> dict[str, dict[str, Any]]:
    """The installation's values but for what would join two communities: the place, the staff's
    password and address, the rented models and what they are asked."""
    values = {package: asdict(getattr(home, package)) for package in SECTIONS}
    values["store"]["folder"] = str(folder)
    values["console"].update(port=0, password="")
    values["api"]["public_origin"] = ""
    values["models"]["vendors"] = str(folder / "vendors.toml")
    values["models"]["tasks"] = str(folder / "tasks.toml")
    return values


def schema_in(home: Settings, name: str) -> str:
    """The PostgreSQL schema of a community, removed or not; empty where it has a SQLite file."""
    place = _place(home, name)
    files = (place.folder / SETTINGS_FILE, place.folder / _REMOVED)
    own = next((read_file(file) for file in files if file.exists()), {})
    return schema_of(name) if own.get("store", {}).get("url", home.store.url) else ""
