"""Prometheus metrics of an API process."""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from inhouse.events.types import ServedPage
from inhouse.models.passing.tally import EDGES_MS, Tally, together

EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_MILLISECONDS: Final = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)


class Meters:
    """One registry an app, so that two apps in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Spread(
            "inhouse_http_request_seconds",
            "time to answer",
            ("method", "path", "status"),
            _SECONDS,
        )
        self._stages = Spread(
            "inhouse_feed_stage_ms", "time of each stage of a feed", ("stage",), _MILLISECONDS
        )
        self._waits = Spread(
            "inhouse_feed_wait_seconds",
            "from the arrival of a feed request to its turn",
            (),
            _SECONDS,
        )
        self._events = Counter(
            "inhouse_events_total", "events by fate", ("fate",), registry=self.registry
        )
        self._served = Tallied("inhouse_feed_items", "items served by source", ("source",))
        self._pages = Tallied(
            "inhouse_feed_pages",
            "pages served by surface and by how much was left out under load",
            ("surface", "level"),
        )
        for each in (self._requests, self._stages, self._waits, self._served, self._pages):
            self.registry.register(each)
        self._level = Gauge(
            "inhouse_feed_level",
            "how much pages leave out under load: 0 nothing, 3 all but what is trending",
            registry=self.registry,
        )
        self._state = Gauge(
            "inhouse_state", "the state in memory by fact", ("fact",), registry=self.registry
        )

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """One request answered."""
        self._requests.add((method, path, str(status)), seconds)

    def events(self, *, stored: int, repeated: int, rejected: int) -> None:
        """One batch dealt with."""
        for fate, count in (("stored", stored), ("repeated", repeated), ("rejected", rejected)):
            if count:
                self._events.labels(fate).inc(count)

    def page(self, page: ServedPage, waited_s: float) -> None:
        """One page served."""
        for stage, ms in page.took_ms.items():
            self._stages.add((stage,), ms)
        for shown in page.items:
            self._served.counts[shown.source,] += 1
        self._pages.counts[page.surface, str(page.level)] += 1
        self._waits.add((), waited_s)

    def level(self, level: int) -> None:
        """At which pages are made, set when asked for."""
        self._level.set(level)

    def state(self, facts: dict[str, float]) -> None:
        """Sizes and offsets, set when asked for."""
        for fact, value in facts.items():
            self._state.labels(fact).set(value)

    def calls(self, tallies: Callable[[], Iterable[Tally]]) -> None:
        """From now on tell of calls that are passed on, as these count them when asked."""
        self.registry.register(_Calls(tallies))

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


class Spread(Collector):
    """How numbers are spread, by labels. A library's histogram takes ten times as long to hear of
    one, and a page tells of a dozen."""

    def __init__(
        self, name: str, about: str, labels: tuple[str, ...], edges: tuple[float, ...]
    ) -> None:
        """edges: upper ends, rising; what is larger is in the last."""
        self._name, self._about, self._labels, self._edges = name, about, labels, edges
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], number: float) -> None:
        """One more."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(self._edges) + 1)
            self._sums[labels] = 0.0
        counts[bisect_left(self._edges, number)] += 1
        self._sums[labels] += number

    def collect(self) -> Iterable[Metric]:
        """In the library's own form."""
        family = HistogramMetricFamily(self._name, self._about, labels=self._labels)
        ends = [*(str(float(edge)) for edge in self._edges), "+Inf"]
        for labels, counts in sorted(self._counts.items()):
            buckets = list(zip(ends, accumulate(counts), strict=True))
            family.add_metric(labels, buckets, self._sums[labels])
        yield family


class Tallied(Collector):
    """Counts by labels, for the same reason."""

    def __init__(self, name: str, about: str, labels: tuple[str, ...]) -> None:
        self._name, self._about, self._labels = name, about, labels
        self.counts: Counts[tuple[str, ...]] = Counts()

    def collect(self) -> Iterable[Metric]:
        """In the library's own form."""
        family = CounterMetricFamily(self._name, self._about, labels=self._labels)
        for labels, count in sorted(self.counts.items()):
            family.add_metric(labels, count)
        yield family


class _Calls(Collector):
    """Calls that are passed on, counted where they are made."""

    def __init__(self, tallies: Callable[[], Iterable[Tally]]) -> None:
        self._tallies = tallies

    def collect(self) -> Iterable[Metric]:
        whole = together(self._tallies())
        attempts = CounterMetricFamily(
            "inhouse_model_attempts",
            "requests to rented models for calls that are passed on",
            labels=("service", "deployment", "outcome"),
        )
        for labels, count in sorted(whole.attempts.items()):
            attempts.add_metric(labels, count)
        kept = CounterMetricFamily(
            "inhouse_model_cache_hits", "calls answered from memory", labels=("deployment",)
        )
        for name, count in sorted(whole.cached.items()):
            kept.add_metric((name,), count)
        refused = CounterMetricFamily(
            "inhouse_model_calls_refused", "calls refused to a key", labels=("reason",)
        )
        refused.add_metric(("rate_limit",), whole.limited)
        refused.add_metric(("budget",), whole.spent)
        yield from (attempts, kept, refused, _latency(whole))


def _latency(whole: Tally) -> Metric:
    family = HistogramMetricFamily(
        "inhouse_model_seconds",
        "until a rented model has answered, to the last byte",
        labels=("deployment",),
    )
    for name, latency in sorted(whole.latency.items()):
        ends = [*(str(edge / 1_000) for edge in EDGES_MS), "+Inf"]
        buckets = list(zip(ends, accumulate(latency.counts), strict=True))
        family.add_metric((name,), buckets, latency.sum_ms / 1_000)
    return family
