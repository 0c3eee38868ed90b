"""A process compiles before it serves."""

import subprocess
import sys

# Which compiled functions of the feed's modules were not compiled by a rehearsal.
_LEFT = """
import importlib, pkgutil
from numba.core.dispatcher import Dispatcher
import inhouse.recommend as feed
from inhouse.app.rehearsal import rehearse

rehearse()
for found in pkgutil.walk_packages(feed.__path__, "inhouse.recommend."):
    for name, part in vars(importlib.import_module(found.name)).items():
        # One that only compiled ones call comes with its callers from the disk.
        called = isinstance(part, Dispatcher) and not name.startswith("_")
        if called and not part.signatures:
            print(f"{found.name}.{name}")
"""


def test_a_rehearsal_leaves_nothing_to_be_compiled() -> None:
    """In a process of its own: every compiled function that a page needs was called. The search
    through clusters is not among them: an index compiles it when it is made."""
    done = subprocess.run(
        [sys.executable, "-c", _LEFT], capture_output=True, text=True, check=True, timeout=240
    )

    assert set(done.stdout.split()) <= {
        "inhouse.recommend.retrieval.clusters.scan",
        "inhouse.recommend.retrieval.kernels.scan",
    }
