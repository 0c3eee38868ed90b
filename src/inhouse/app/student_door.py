"""Where models trained here write and place texts: an address on this machine, and a key for it.

The key lies in the community's folder, readable by the server's account alone. Whoever comes first,
who asks or who answers, makes it.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from inhouse.app.communities import label_of, names_in, settings_of
from inhouse.app.settings import Settings
from inhouse.core.errors import InhouseError, StoreError
from inhouse.models.declared import read_tasks
from inhouse.models.students.book import Door

HOST: Final = "127.0.0.1"
_KEY_FILE: Final = "students.key"
_LEAST_CHARS: Final = 20


def door_of(settings: Settings) -> Door:
    """Of one community. Raises StoreError where its folder refuses."""
    place = f"http://{HOST}:{settings.models.students_port}/{label_of(settings.community)}/v1"
    return Door(url=place, key=key_in(settings.folder))


def has_students(home: Settings) -> bool:
    """Whether any community has a task that is answered with words or vectors. What is wrong with
    one's settings or tasks is for its own process to say."""
    every = [home]
    for name in names_in(home):
        with contextlib.suppress(InhouseError):
            every.append(settings_of(home, name))
    return any(_declares(settings) for settings in every)


def _declares(settings: Settings) -> bool:
    try:
        tasks = read_tasks(Path(settings.models.tasks))
    except InhouseError:
        return False
    return not all(task.judges for task in tasks.values())


def key_in(folder: Path) -> str:
    """The key of a community, made where there is none."""
    path = folder / _KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f".{_KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}.part")
        if not path.exists():
            with os.fdopen(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as to:
                to.write(secrets.token_urlsafe(32))
            try:
                os.link(made, path)  # of several who come first, one is
            except FileExistsError:
                pass
            finally:
                made.unlink()
        key = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot keep a key in {path}: {error}; fix the permissions") from error
    if len(key) < _LEAST_CHARS:
        raise StoreError(f"{path} holds no key; delete it, and a new one is made")
    return key
