"""What every benchmark shares: arguments, the machine's name, a table, a file of raw figures."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console()
if not console.is_terminal:
    console.width = 240  # a file has room for every figure
_LIBRARIES = ("numpy", "torch", "sqlalchemy", "fastapi", "uvicorn", "polars")


def arguments(
    description: str, extra: Callable[[argparse.ArgumentParser], None]
) -> argparse.Namespace:
    """The options of one benchmark: its own, `--quick` and `--json`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="a minute instead of many; figures are rough"
    )
    parser.add_argument("--json", type=Path, help="write the raw figures here")
    extra(parser)
    return parser.parse_args()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES},
        "commit": _commit(),
    }


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


@dataclass
class Report:
    """Rows on the screen, the same rows and more in the file."""

    name: str
    columns: Sequence[str]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, **row: Any) -> None:
        """One more line."""
        self.rows.append(row)

    def finish(self, options: argparse.Namespace) -> None:
        """Print the table; write the file where one was asked for."""
        table = Table(title=self.name, title_justify="left")
        for column in self.columns:
            table.add_column(column)
        for row in self.rows:
            table.add_row(*(_shown(row.get(column)) for column in self.columns))
        console.print(table)
        if options.json is not None:
            body = {
                "benchmark": self.name,
                "machine": machine(),
                "quick": options.quick,
                "rows": self.rows,
            }
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(body, indent=2), "utf-8")


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def quantiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50_ms": cuts[49] * 1e3, "p95_ms": cuts[94] * 1e3, "p99_ms": cuts[98] * 1e3}


@contextmanager
def program(
    arguments: Sequence[str], environment: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python program of ours, ended when the block ends."""
    process = subprocess.Popen([sys.executable, *arguments], env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll; raises TimeoutError that names what did not happen."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.05)
