"""Calls passed on: how many a second on one core, and what the way through adds to a call.

A vendor that answers at once and the callers share one core, what is measured has another for
itself (`--core`). Metering is on in inhouse: every call has its key checked and is a priced row of
the ledger, flushed to disk; nothing is metered in the others. Machines wander, so a bare
pass-through is measured in the same run, everything in turn, and `of_bare` is what to compare.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.common import Report, arguments, console, quantiles_ms
from benchmarks.gateway_load import BODY, STREAM, calls, request_of, streams_of
from benchmarks.gateway_peers import (
    Contender,
    Running,
    bare,
    direct,
    inhouse,
    litellm,
    portkey,
    running,
)
from benchmarks.server import free_port

_STREAMS: Final = 64
_COLUMNS: Final = (
    "what", "callers", "calls_per_s", "of_bare", "cpu_us", "p50_ms", "p99_ms", "added_p50_ms",
    "added_p99_ms", "memory_mb", "ready_s", "failed", "stalled", "first_word_ms", "last_first_ms",
    "words_at_once",
)  # fmt: skip


def measure(contender: Contender, alive: Running, seconds: float) -> list[dict[str, Any]]:
    """One connection, sixteen, and streams."""
    headers = dict(contender.headers)
    request = request_of(contender.path, headers, BODY)
    rows = []
    for callers in (1, 16):
        warm = calls(contender.port, request, 50 * callers, callers)
        count = max(50, round(seconds * callers / statistics.fmean(warm)))
        cpu_s, started = alive.cpu_s(), time.perf_counter()
        took = calls(contender.port, request, count, callers)
        spent = time.perf_counter() - started
        rows.append(
            {
                "what": contender.name,
                "callers": callers,
                "calls_per_s": count / spent,
                "cpu_us": (alive.cpu_s() - cpu_s) / count * 1e6,
                "ready_s": alive.ready_s,
                **quantiles_ms(took),
            }
        )
    found = streams_of(contender.port, request_of(contender.path, headers, STREAM), _STREAMS)
    whole = [one for one in found if one.whole]
    streamed: dict[str, Any] = {
        "what": contender.name,
        "callers": _STREAMS,
        "failed": len(found) - len(whole),
        "stalled": sum(one.stalled for one in whole),
    }
    if whole:
        streamed["first_word_ms"] = statistics.median(one.first_s for one in whole) * 1_000
        streamed["last_first_ms"] = max(one.first_s for one in whole) * 1_000
        streamed["words_at_once"] = max(one.at_once for one in whole)
    rows.append(streamed)
    for row in rows:
        row["memory_mb"] = alive.memory_mb()
    return rows


def _medians(repeats: list[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Row by row, over the repeats."""
    for same in zip(*repeats, strict=True):
        yield {
            name: statistics.median(row[name] for row in same if name in row)
            if name != "what"
            else value
            for name, value in same[0].items()
        }


def _related(rows: list[dict[str, Any]]) -> None:
    """To the bare pass-through, and to the vendor without anybody in between."""
    found = {(row["what"], row["callers"]): row for row in rows}
    for row in rows:
        plain = found.get(("bare pass-through", row["callers"]))
        alone = found.get(("vendor alone", row["callers"]))
        if "calls_per_s" not in row or plain is None or alone is None:
            continue
        row["of_bare"] = row["calls_per_s"] / plain["calls_per_s"]
        if row["callers"] == 1:
            row["added_p50_ms"] = row["p50_ms"] - alone["p50_ms"]
            row["added_p99_ms"] = row["p99_ms"] - alone["p99_ms"]


def _contenders(options: argparse.Namespace, folder: Path, port: int) -> list[Contender]:
    found = [bare(port)]
    found += [inhouse(folder / role, port, role) for role in options.roles]
    for peer in options.peers:
        place = {"litellm": options.litellm, "portkey": options.portkey}[peer]
        if place is None or not place.exists():
            console.print(
                f"{peer}: no folder given with --{peer}, so not measured; the head of "
                "benchmarks/gateway_peers.py says how it is installed"
            )
        elif peer == "litellm":
            found.append(litellm(folder, port, place))
        else:
            found.append(portkey(port, place))
    return found


def _extra(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    parser.add_argument("--repeats", type=int, default=3, help="whose medians are told")
    parser.add_argument("--core", type=int, help="of what is measured")
    parser.add_argument("--other-core", type=int, help="of the vendor and the callers")
    parser.add_argument("--roles", nargs="*", default=["gateway"], choices=["gateway", "api"])
    parser.add_argument("--peers", nargs="*", default=[], choices=["litellm", "portkey"])
    parser.add_argument("--litellm", type=Path, help="folder of its virtual environment")
    parser.add_argument("--portkey", type=Path, help="folder that holds its node_modules")


def main() -> None:
    """Measure everybody in turn, as often as was asked for."""
    options = arguments(__doc__ or "", _extra)
    if options.other_core is not None:
        os.sched_setaffinity(0, {options.other_core})
    seconds = 1.0 if options.quick else options.seconds
    repeats = 1 if options.quick else options.repeats
    vendor = direct(free_port())
    raw: dict[str, list[list[dict[str, Any]]]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="inhouse-bench-") as folder,
        running(vendor, options.other_core) as alone,
    ):
        contenders = _contenders(options, Path(folder), vendor.port)
        for _ in range(repeats):
            raw.setdefault(vendor.name, []).append(measure(vendor, alone, seconds))
            for contender in contenders:
                with running(contender, options.core) as alive:
                    rows = measure(contender, alive, seconds)
                raw.setdefault(contender.name, []).append(rows)
    rows = [row for same in raw.values() for row in _medians(same)]
    _related(rows)
    report = Report("gateway", _COLUMNS)
    for row in rows:
        report.add(**row)
    report.finish(options)


if __name__ == "__main__":
    main()
