"""Run by a test as a process of its own: teaches a model, and kills itself after some steps.

students_killed.py BASE FOLDER STEPS
"""

import os
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from models_students import (
    Kept,
    talk,
    workplace,
)

from inhouse.models.students.course import Course
from inhouse.models.students.text import train_text
from inhouse.models.students.workplace import Base
from inhouse.models.types import Task
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import migrate

base, folder, stop_after = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])


def tell(_what: str, done: int, _total: int) -> None:
    """Once a step is told of, the checkpoint of the one before is on disk."""
    if done > stop_after:
        os.kill(os.getpid(), signal.SIGKILL)


with tempfile.TemporaryDirectory() as place:
    database = open_database(StoreSettings(folder=place))
    migrate(database)
    train_text(
        replace(workplace(database, folder), tell=tell),
        Task(name="names", kind="text", categories=(), instructions=""),
        Base(name=base, terms="mit"),
        Kept(talk(120)),
        Course(rounds=3, rate=2e-2, keep_every_s=0.0, patience=5),
    )
