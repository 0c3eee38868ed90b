"""Calls passed on: how many a second on one core, and what the way through adds to a call.

The upstream answers at once, from a process of its own; its own figures are in the table. Metering
is on: every call is a priced row of the ledger, flushed to disk. Peers are measured where their
commands are given (see `--peer`): the same load, the same upstream, the same core.
"""

import argparse
import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
from aiohttp import web

from benchmarks.common import Report, arguments, program, quantiles_ms, wait_until
from benchmarks.server import Server, api_server, free_port

_BODY = b'{"model": "main", "messages": [{"role": "user", "content": "Say hello to everybody."}]}'
_STREAM = _BODY[:-1] + b', "stream": true}'
_ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":'
    b'[{"index":0,"message":{"role":"assistant","content":"Hello, everybody."},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":5,'
    b'"total_tokens":17}}'
)
_PIECE = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",'
    b'"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
)
_END = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",'
    b'"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":40,"total_tokens":52}}\n\n'
    b"data: [DONE]\n\n"
)
_PIECES, _PAUSE_S, _STALL_S = 40, 0.05, 0.25
_VENDORS = """
[main]
url = "http://127.0.0.1:{port}/v1"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
serves = ["chat"]
"""


def upstream(port: int) -> None:
    """Answers at once; a stream comes as forty words, twenty a second."""

    async def chat(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if b'"stream":true' not in body and b'"stream": true' not in body:
            return web.Response(body=_ANSWER, content_type="application/json")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(_PIECES):
            await response.write(_PIECE)
            await asyncio.sleep(_PAUSE_S)
        await response.write(_END)
        return response

    async def ready(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/", ready)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


async def calls(url: str, headers: dict[str, str], count: int, callers: int) -> list[float]:
    """So many calls from so many connections; the time of each in seconds."""
    queue = iter(range(count))

    async def caller(session: aiohttp.ClientSession) -> list[float]:
        took: list[float] = []
        for _ in queue:
            started = time.perf_counter()
            async with session.post(url, data=_BODY) as response:
                await response.read()
                if response.status != 200:
                    raise RuntimeError(f"{response.status}: {await response.text()}")
            took.append(time.perf_counter() - started)
        return took

    headers = {"content-type": "application/json", **headers}
    async with aiohttp.ClientSession(headers=headers) as session:
        return list(
            itertools.chain.from_iterable(
                await asyncio.gather(*(caller(session) for _ in range(callers)))
            )
        )


async def stalls(url: str, headers: dict[str, str], streams: int) -> int:
    """So many streams at once; how many waited longer for a piece than five of them take."""

    async def listen(session: aiohttp.ClientSession) -> bool:
        longest, pieces = 0.0, 0
        async with session.post(url, data=_STREAM) as response:
            last = time.perf_counter()
            async for piece in response.content.iter_any():
                now = time.perf_counter()
                longest, last = max(longest, now - last), now
                pieces += piece.count(b"data: ")
        if pieces < _PIECES:
            raise RuntimeError(f"a stream of {pieces} pieces, expected {_PIECES}")
        return longest > _STALL_S

    headers = {"content-type": "application/json", **headers}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        return sum(await asyncio.gather(*(listen(session) for _ in range(streams))))


def measure(
    report: Report, what: str, url: str, headers: dict[str, str], count: int, server: Server | None
) -> None:
    """One connection, sixteen, and streams."""
    asyncio.run(calls(url, headers, 200, 4))
    for callers, share in ((1, 0.5), (16, 1.0)):
        some = int(count * share)
        cpu_s, started = (server.cpu_s() if server else 0.0), time.perf_counter()
        took = asyncio.run(calls(url, headers, some, callers))
        seconds = time.perf_counter() - started
        report.add(
            what=what,
            callers=callers,
            calls_per_s=some / seconds,
            cpu_us=(server.cpu_s() - cpu_s) / some * 1e6 if server else None,
            memory_mb=server.private_mb() if server else None,
            **quantiles_ms(took),
        )
    streams = 64
    report.add(what=what, callers=streams, stalled=asyncio.run(stalls(url, headers, streams)))


def _peers(given: Sequence[str]) -> Iterator[tuple[str, str]]:
    for peer in given:
        name, _, url = peer.partition("=")
        yield name, url


def main() -> None:
    """Measure the upstream alone, then through inhouse, then through the peers that are there."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--calls", type=int, default=20_000, help="from sixteen connections")
        parser.add_argument("--core", type=int, help="pin the server to this core")
        parser.add_argument("--upstream", type=int, help="be the upstream on this port")
        parser.add_argument("--port", type=int, help="of the upstream; peers must know it")
        parser.add_argument(
            "--peer", action="append", default=[], help="NAME=URL of a running gateway's chat"
        )

    options = arguments(__doc__ or "", extra)
    if options.upstream is not None:
        upstream(options.upstream)
        return
    count = options.calls // (10 if options.quick else 1)
    report = Report(
        "gateway",
        ("what", "callers", "calls_per_s", "cpu_us", "p50_ms", "p95_ms", "p99_ms", "memory_mb",
         "stalled"),
    )  # fmt: skip
    port = options.port or free_port()
    with program(["-m", "benchmarks.gateway", "--upstream", str(port)], {}):
        wait_until(lambda: _answers(port), 30, "the upstream's readiness")
        direct = f"http://127.0.0.1:{port}/v1/chat/completions"
        measure(report, "upstream alone", direct, {}, count, None)
        with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as folder:
            vendors = Path(folder) / "vendors.toml"
            vendors.write_text(_VENDORS.format(port=port))
            settings = {"INHOUSE_MODELS_VENDORS": str(vendors), "INHOUSE_APP_CLOCK": "system"}
            with api_server(Path(folder), options.core, settings) as server:
                url = f"{server.url}/openai/v1/chat/completions"
                measure(report, "inhouse", url, server.headers, count, server)
        for name, url in _peers(options.peer):
            key = {"authorization": f"Bearer {os.environ.get('PEER_KEY', 'mock')}"}
            measure(report, name, url, key, count, None)
    report.finish(options)


def _answers(port: int) -> bool:
    async def ask() -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/"):
            return True

    try:
        return asyncio.run(ask())
    except aiohttp.ClientError:
        return False


if __name__ == "__main__":
    main()
