"""One contract for every executor."""

import importlib.util
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import work

from inhouse.core.errors import SettingError, WorkError
from inhouse.engine.choose import open_executor
from inhouse.engine.local import LocalExecutor
from inhouse.engine.ports import Executor
from inhouse.engine.settings import EngineSettings

_HAS_RAY = importlib.util.find_spec("ray") is not None
_WITHOUT_RAY = pytest.mark.skipif(
    not _HAS_RAY, reason="ray is not installed; pip install 'inhouse[cluster]'"
)


@pytest.fixture(
    scope="module",
    params=[
        EngineSettings(executor="local", workers=2),
        pytest.param(EngineSettings(executor="ray", address=""), marks=_WITHOUT_RAY),
    ],
    ids=["local", "ray"],
)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """An executor with workers, which can import this folder's modules."""
    found = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(found))
        opened = open_executor(request.param)
        yield opened
        opened.close()
        opened.close()


def test_results_come_in_the_order_of_the_items(executor: Executor) -> None:
    """Also where the first takes longest."""
    assert list(executor.map(work.slow_first, range(10))) == list(range(10))
    assert list(executor.map(work.square, [3, 1, 2])) == [9, 1, 4]
    assert list(executor.map(work.square, [])) == []


def test_work_is_done_elsewhere(executor: Executor) -> None:
    """In other processes than this one."""
    assert os.getpid() not in set(executor.map(work.process_id, range(8)))


def test_items_are_taken_only_a_little_ahead(executor: Executor) -> None:
    """An endless source is no trouble: what is in flight is bounded."""
    taken = itertools.count()
    results = executor.map(work.square, taken)

    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    results.close()  # type: ignore[attr-defined]
    assert next(taken) < 5 + 4 * (os.cpu_count() or 1) + 4


def test_a_failing_item_is_named(executor: Executor) -> None:
    """What came before it is delivered; the error tells the item's index and the cause."""
    results = executor.map(work.refuse_three, range(100))
    delivered = [next(results) for _ in range(3)]

    with pytest.raises(WorkError) as caught:
        next(results)
    assert delivered == [0, 1, 2]
    assert caught.value.index == 3
    assert str(caught.value) == (
        "item 3 of the work failed: ValueError: three is not allowed;"
        " mend the item or the function, then start again"
    )
    assert list(executor.map(work.square, [4])) == [16]


def test_one_piece_of_work_has_a_future(executor: Executor) -> None:
    """It holds the result, or raises what the function raised."""
    right, wrong = executor.submit(work.square, 5), executor.submit(work.refuse_three, 3)

    assert right.result(60) == 25
    with pytest.raises(ValueError, match="three is not allowed"):
        wrong.result(60)


def test_a_worker_that_dies_is_an_error_not_a_hang() -> None:
    """A killed process ends the map with the item it worked on."""
    executor = LocalExecutor(1)
    with pytest.raises(WorkError, match="item 0 of the work failed: BrokenProcessPool"):
        list(executor.map(work.die, range(3)))
    executor.close()


@pytest.mark.skipif(_HAS_RAY, reason="ray is installed")
def test_ray_without_its_package_says_what_to_install() -> None:
    """The extra is named, and the way to do without."""
    with pytest.raises(SettingError) as caught:
        open_executor(EngineSettings(executor="ray"))

    assert str(caught.value) == (
        "the executor ray needs the package ray; pip install 'inhouse[cluster]',"
        " or set INHOUSE_ENGINE_EXECUTOR=local"
    )
