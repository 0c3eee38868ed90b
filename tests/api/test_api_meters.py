"""Numbers that are counted by ourselves, in the form that the metrics library gives its own."""

from prometheus_client import CollectorRegistry, generate_latest

from inhouse.api.meters import Spread, Tallied


def test_a_spread_tells_how_many_lie_up_to_each_edge() -> None:
    """A number on an edge counts there, one beyond the last only among all; labels in order."""
    registry, spread = CollectorRegistry(), Spread("took_ms", "time", ("stage",), (1, 2.5))
    registry.register(spread)
    for stage, number in (("rank", 1.0), ("rank", 2.0), ("rank", 9.0), ("merge", 0.5)):
        spread.add((stage,), number)
    assert generate_latest(registry).decode().splitlines() == [
        "# HELP took_ms time",
        "# TYPE took_ms histogram",
        'took_ms_bucket{le="1.0",stage="merge"} 1.0',
        'took_ms_bucket{le="2.5",stage="merge"} 1.0',
        'took_ms_bucket{le="+Inf",stage="merge"} 1.0',
        'took_ms_count{stage="merge"} 1.0',
        'took_ms_sum{stage="merge"} 0.5',
        'took_ms_bucket{le="1.0",stage="rank"} 1.0',
        'took_ms_bucket{le="2.5",stage="rank"} 2.0',
        'took_ms_bucket{le="+Inf",stage="rank"} 3.0',
        'took_ms_count{stage="rank"} 3.0',
        'took_ms_sum{stage="rank"} 12.0',
    ]


def test_counts_are_told_by_their_labels() -> None:
    """Each with what it came to; nothing where nothing was counted."""
    registry, counted = CollectorRegistry(), Tallied("pages", "served", ("surface", "level"))
    registry.register(counted)
    assert generate_latest(registry).decode().splitlines() == [
        "# HELP pages_total served",
        "# TYPE pages_total counter",
    ]
    counted.counts["for_you", "0"] += 2
    counted.counts["latest", "3"] += 1
    assert generate_latest(registry).decode().splitlines()[2:] == [
        'pages_total{level="0",surface="for_you"} 2.0',
        'pages_total{level="3",surface="latest"} 1.0',
    ]
