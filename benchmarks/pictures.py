"""How long a moderation call with pictures takes, over the API.

    python -m benchmarks.pictures [--calls 40] [--quick] [--json FILE]

Pictures of smooth noise come inline (`data:`), so that no network is timed; a bank of ten thousand
hashes counts. Each is decoded in a process of its own, hashed and held against the bank; beside it
stands the same call with words alone. In one process with its client, by the clock.
"""

import argparse
import base64
import io
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from benchmarks.common import Report, arguments, quantiles_ms
from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.settings import load_settings
from inhouse.moderation.media.types import BankSpec

_COLUMNS: Final = ("what", "body_bytes", "p50_ms", "p99_ms")
_PATH: Final = "/openai/v1/moderations"
_HASHES: Final = 10_000


def main() -> None:
    """Run and report."""
    options = arguments(__doc__ or "", _options)
    report = Report("pictures", _COLUMNS)
    calls = 5 if options.quick else options.calls
    asked = {
        "words": [{"type": "text", "text": "a walk in the garden on a summer morning"}],
        "a picture of 640 x 480": [_picture(640, 480)],
        "a picture of 2000 x 1500": [_picture(2_000, 1_500)],
        "ten of 640 x 480": [_picture(640, 480)] * 10,
    }
    with tempfile.TemporaryDirectory() as folder:
        services = Services(load_settings({"INHOUSE_STORE_FOLDER": folder}, Path(folder) / "none"))
        services.hash_banks.create(BankSpec(name="war", category="violence"), 1)
        hashes = np.random.default_rng(7).bytes(32 * _HASHES)
        lines = (hashes[start : start + 32].hex() for start in range(0, len(hashes), 32))
        services.hash_banks.add("war", "\n".join(lines), 1)
        _, secret = services.keys.create("benchmark", ["models"])
        with TestClient(create_app(services)) as client:
            client.headers["authorization"] = f"Bearer {secret}"
            for what, parts in asked.items():
                _ask(report, client, what, parts, calls)
        services.close()
    report.finish(options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--calls", type=int, default=40, help="of each kind")


def _ask(report: Report, client: TestClient, what: str, parts: list[Any], calls: int) -> None:
    """The first call starts processes, and is not counted."""
    seconds = []
    size = 0
    for _ in range(calls + 1):
        start = time.perf_counter()
        response = client.post(_PATH, json={"input": parts})
        seconds.append(time.perf_counter() - start)
        size = int(response.request.headers["content-length"])
        if response.status_code != 200:
            raise SystemExit(f"{what}: {response.status_code} {response.text[:200]}")
    report.add(what=what, body_bytes=size, **quantiles_ms(seconds[1:]))


def _picture(width: int, height: int) -> dict[str, Any]:
    dice = np.random.default_rng(width)
    small = Image.fromarray(dice.integers(0, 255, (16, 16, 3), dtype=np.uint8))
    written = io.BytesIO()
    small.resize((width, height), Image.Resampling.BICUBIC).save(written, "JPEG", quality=90)
    inline = base64.b64encode(written.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{inline}"}}


if __name__ == "__main__":
    main()
