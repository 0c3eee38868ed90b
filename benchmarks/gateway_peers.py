"""Who is measured by the benchmark `gateway`: the bare way through, inhouse, and the peers.

Peers are installed by a person into folders of their own, never by our set-up:

    python -m venv litellm && litellm/bin/pip install 'litellm[proxy]'
    mkdir portkey && cd portkey && npm install --ignore-scripts @portkey-ai/gateway
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

import psutil

from benchmarks.gateway_load import BODY
from benchmarks.server import free_port, make_key

_VENDORS: Final = """
[main]
url = "http://127.0.0.1:{port}/v1"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
serves = ["chat"]
"""
_LITELLM: Final = """
model_list:
  - model_name: main
    litellm_params:
      {{model: openai/gpt-4o-mini, api_base: "http://127.0.0.1:{port}/v1", api_key: mock-key}}
litellm_settings: {{callbacks: [], num_retries: 0, request_timeout: 30}}
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY}}
"""
_READY_S: Final = 300.0


@dataclass(frozen=True, kw_only=True)
class Contender:
    """How one way through is started and called."""

    name: str
    command: Sequence[str]
    port: int
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Running:
    """One that answers."""

    process: psutil.Process
    ready_s: float  # from its start to its first answer to a call

    def memory_mb(self) -> float:
        """Resident memory, of its children too."""
        return sum(float(one.memory_info().rss) for one in self._all()) / 1e6

    def cpu_s(self) -> float:
        """Seconds of a core used so far."""
        return sum(sum(one.cpu_times()[:2]) for one in self._all())

    def _all(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def running(contender: Contender, core: int | None) -> Iterator[Running]:
    """Start it on that core; ended when the block ends. Raises TimeoutError where it does not
    answer."""
    pin = ["taskset", "-c", str(core)] if core is not None else []
    started = time.perf_counter()
    with subprocess.Popen(
        [*pin, *contender.command],
        env={**os.environ, **contender.environment},
        stdout=subprocess.DEVNULL,
        stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
    ) as process:
        try:
            while not _answers(contender):
                if process.poll() is not None or time.perf_counter() - started > _READY_S:
                    raise TimeoutError(
                        f"{contender.name} does not answer; BENCH_VERBOSE=1 says why"
                    )
                time.sleep(0.02)
            yield Running(
                process=psutil.Process(process.pid), ready_s=time.perf_counter() - started
            )
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(contender: Contender) -> bool:
    connection = HTTPConnection("127.0.0.1", contender.port, timeout=10)
    headers = {"content-type": "application/json", **contender.headers}
    try:
        connection.request("POST", contender.path, BODY, headers)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def direct(upstream: int) -> Contender:
    """The vendor itself, without anything in between."""
    command = [sys.executable, "-m", "benchmarks.gateway_load", str(upstream)]
    return Contender(name="vendor alone", command=command, port=upstream)


def bare(upstream: int) -> Contender:
    """Raw ASGI and aiohttp: what Python can do with nothing metered, checked or kept."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.gateway_bare", str(port), str(upstream)]
    return Contender(name="bare pass-through", command=command, port=port)


def inhouse(folder: Path, upstream: int, role: str) -> Contender:
    """Ours: the role `gateway`, or `api` with all that it holds. A key that may call models, and
    every call a priced row on disk."""
    folder.mkdir(parents=True)
    vendors = folder / "vendors.toml"
    vendors.write_text(_VENDORS.format(port=upstream))
    port = free_port()
    environment = {
        "INHOUSE_STORE_FOLDER": str(folder),
        "INHOUSE_API_PORT": str(port),
        "INHOUSE_API_GATEWAY_PORT": str(port),
        "INHOUSE_APP_LOG_LEVEL": "warning",
        "INHOUSE_MODELS_VENDORS": str(vendors),
    }
    module = {"gateway": "inhouse.api.gateway", "api": "inhouse.api"}[role]
    return Contender(
        name=f"inhouse, role {role}",
        command=[sys.executable, "-m", module],
        port=port,
        path="/openai/v1/chat/completions",
        headers={"authorization": f"Bearer {make_key(folder)}"},
        environment=environment,
    )


def litellm(folder: Path, upstream: int, place: Path) -> Contender:
    """One worker, no database, no callbacks. place: the folder of its virtual environment."""
    file, port, key = folder / "litellm.yaml", free_port(), f"sk-{secrets.token_hex(16)}"
    file.write_text(_LITELLM.format(port=upstream))
    command = [
        str(place / "bin" / "litellm"), "--config", str(file), "--host", "127.0.0.1", "--port",
        str(port), "--num_workers", "1", "--telemetry", "False",
    ]  # fmt: skip
    return Contender(
        name="LiteLLM",
        command=command,
        port=port,
        headers={"authorization": f"Bearer {key}"},
        environment={
            "LITELLM_MASTER_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
        },
    )


def portkey(upstream: int, place: Path) -> Contender:
    """As its documentation starts it. place: the folder that holds its `node_modules`."""
    port = free_port()
    script = place / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    return Contender(
        name="Portkey",
        command=["node", str(script), f"--port={port}", "--headless"],
        port=port,
        headers={
            "authorization": "Bearer mock",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1",
        },
        environment={"NODE_ENV": "production"},
    )
