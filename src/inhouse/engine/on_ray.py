"""Work on a Ray cluster (extra `cluster`)."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from inhouse.core.errors import SettingError, WorkError
from inhouse.engine.ports import in_order

try:
    import ray
    from ray.exceptions import RayTaskError
except ImportError:
    ray = None

A = TypeVar("A")
R = TypeVar("R")


class RayExecutor:
    """Each piece of work is a Ray task; twice as many are in flight as the cluster has cores."""

    def __init__(self, address: str = "auto") -> None:
        if ray is None:
            raise SettingError(
                "the executor ray needs the package ray; pip install 'inhouse[cluster]',"
                " or set INHOUSE_ENGINE_EXECUTOR=local"
            )
        self._started = not ray.is_initialized()
        if self._started:
            ray.init(address=address or None, log_to_driver=False, include_dashboard=False)
        self._in_flight = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))

    def map(self, function: Callable[[A], R], items: Iterable[A]) -> Iterator[R]:
        """See `Executor.map`."""
        remote = ray.remote(function)
        futures = in_order(lambda item: _future(remote, item), items, self._in_flight)
        for index, future in enumerate(futures):
            try:
                result: R = future.result()
            except Exception as error:
                raise WorkError(index, _cause(error)) from error
            yield result

    def submit(self, function: Callable[[A], R], item: A) -> "Future[R]":
        """See `Executor.submit`."""
        answer: Future[R] = Future()
        answer.set_running_or_notify_cancel()

        def pass_on(done: "Future[R]") -> None:
            error = done.exception()
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(_cause(error))

        _future(ray.remote(function), item).add_done_callback(pass_on)
        return answer

    def close(self) -> None:
        """See `Executor.close`; a connection that others opened stays open."""
        if self._started:
            self._started = False
            ray.shutdown()


def _future(remote: Any, item: object) -> "Future[Any]":
    future: Future[Any] = remote.remote(item).future()
    return future


def _cause(error: BaseException) -> BaseException:
    """What the function raised, out of Ray's wrapping."""
    return error.cause if isinstance(error, RayTaskError) else error
