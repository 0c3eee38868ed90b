"""Compiled steps are compiled by a process that ends when it has done so.

A compiled function is loaded from a cache on disk, in no time and little memory. Where there is
none yet, as after an installation, whoever asks first compiles it, and the compiler stays with
them: 215 MB that a server would hold for good. So a process that is about to serve has another one
fill the cache first. That one writes down beside the cache what it compiled, for which machine and
from which sources; as long as all of it is so, nobody compiles again. What it did not think of is
compiled where it is asked for, as ever.
"""

import fcntl
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import numba
import numpy as np
from llvmlite import binding
from numba.core.dispatcher import Dispatcher

from inhouse.core.files import write_atomically
from inhouse.core.ids import SnapshotId
from inhouse.core.logs import logger
from inhouse.features.candidate_kernels import products
from inhouse.learning.snapshots.snapshot import SnapshotFacts, TasteSnapshot
from inhouse.learning.taste.arrays import TasteShape, untrained
from inhouse.moderation.policy.parse import load_policy
from inhouse.moderation.signals.keytable import codes_of, make_table
from inhouse.moderation.verdicts.board import DecisionBoard
from inhouse.recommend.permissive import Permissive
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.retrieval.space import INDEXED_BEYOND
from inhouse.recommend.warm import invented, serve_all, warm_up

_TOLD: Final = "inhouse-compiled.json"
_LOCK: Final = "inhouse-compiled.lock"
_MOST_S: Final = 1_800.0  # compiling takes half a minute of a core, where one is free
_LOG = logger("compiling")
_Told = dict[str, object]


@cache
def compile_apart() -> None:
    """Have what a feed needs compiled by another process, where it is not; once in this one."""
    folder = _cache_folder()
    if folder is None or _is_told(folder):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # of processes that start together one compiles
            if not _is_told(folder):
                _compile_in_a_child()
    except (OSError, subprocess.SubprocessError) as error:  # a full disk, say
        _LOG.warning("not_compiled_apart", kind=type(error).__name__, reason=str(error))


def compile_here() -> None:
    """Compile what a feed needs with what is compiled, and write down that it is done."""
    warm_up()
    _search_many()
    _decide()
    folder = _cache_folder()
    if folder is not None:
        _tell(folder)


def _compile_in_a_child() -> None:
    _LOG.info("compiling")
    arguments = [sys.executable, "-m", "inhouse.app.compiling"]
    subprocess.run(arguments, check=True, timeout=_MOST_S, stdin=subprocess.DEVNULL)


def _search_many() -> None:
    """Serve from so many posts that they are searched by an index, with a model that knows
    nothing."""
    state = invented(INDEXED_BEYOND + 1)
    facts = SnapshotFacts(
        snapshot_id=SnapshotId("snap_warm"),
        created_ms=0,
        log_offset=0,
        page_offset=0,
        watermark_ms=0,
        metrics={},
    )
    model = TasteSnapshot(facts, untrained(TasteShape()), None)
    feed = Feed(state, Permissive())
    model.warm_up()
    feed.use_prepared(feed.prepare(model))
    serve_all(feed)
    feed.moved(np.arange(2, dtype=np.int32))


def _decide() -> None:
    """Ask the policy that comes with the package of one post, and look for one term in a text."""
    DecisionBoard(load_policy()).expect([0], ["1"])
    text = codes_of("warm")
    make_table(["warm"], np.zeros(1, np.uint32)).find(text, np.ones(len(text) + 1, np.bool_))


def _cache_folder() -> Path | None:
    """Where compiled steps of this machine are kept; None where nothing is compiled."""
    path = products.stats.cache_path if isinstance(products, Dispatcher) else None
    return None if path is None else Path(path)


def _tell(folder: Path) -> None:
    write_atomically(folder / _TOLD, json.dumps(_what_is_so(_sources())).encode())


def _is_told(folder: Path) -> bool:
    """Whether all that is needed was compiled here as it is now."""
    try:
        told = json.loads((folder / _TOLD).read_bytes())
        return bool(told == _what_is_so(Path(name) for name in told["sources"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _sources() -> Iterator[Path]:
    """The files of the functions that were compiled or loaded here."""
    for name, module in list(sys.modules.items()):
        if name.startswith("inhouse.") and any(
            isinstance(part, Dispatcher) and part.signatures for part in vars(module).values()
        ):
            yield Path(str(module.__file__))


def _what_is_so(sources: Iterator[Path]) -> _Told:
    """Everything by which a cache may be out of date."""
    stats = {str(path): path.stat() for path in sources}
    return {
        "python": platform.python_version(),
        "numba": numba.__version__,
        "processor": f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}",
        "sources": {name: [at.st_mtime_ns, at.st_size] for name, at in stats.items()},
    }


if __name__ == "__main__":
    compile_here()
