"""Texts judged over HTTP in others' formats: the time of one alone, and how many a second.

One API process with term banks and a model of its own, trained on made-up posts of 250 characters.
Rows of the ledger are on disk some 50 ms after an answer; nobody waits for it.
"""

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.common import Report, arguments, quantiles_ms
from benchmarks.server import Server, api_server
from inhouse.app.build import open_services
from inhouse.app.settings import load_settings
from inhouse.core.random import stream
from inhouse.models.cutover.routes import Acceptance
from inhouse.models.cutover.stages import measuring_of
from inhouse.models.harvest.labels import Labels
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.training.train import train_task
from inhouse.models.types import Label
from inhouse.stats.types import NotEnough

MODERATIONS, ANALYZE = "/openai/v1/moderations", "/v1alpha1/comments:analyze"
_SYLLABLES = ("ba", "ne", "ko", "li", "tur", "sa", "min", "der", "pol", "ga", "ster", "on")
_WORDS = 40


def texts(count: int, seed: int) -> list[str]:
    """Made-up posts; every fifth has a word that speaks for a category."""
    random = stream(seed, "judging")
    vocabulary = ["".join(random.choice(_SYLLABLES, size=3)) for _ in range(5_000)]
    posts = []
    for place in range(count):
        words = [vocabulary[i] for i in random.integers(len(vocabulary), size=_WORDS)]
        if place % 5 == 0:
            words[int(random.integers(_WORDS))] = f"{_category(place)}istani"
        posts.append(" ".join(words))
    return posts


def _category(place: int) -> str:
    return TEXT_HARM.categories[place // 5 % len(TEXT_HARM.categories)]


def teach(
    folder: Path, count: int = 6_000, source: str = "person:benchmark", vendors: str = "none.toml"
) -> None:
    """Train a model on so many texts that somebody judged, and let it answer, or where there are
    vendors stand in for them."""
    given = {"INHOUSE_STORE_FOLDER": str(folder), "INHOUSE_MODELS_VENDORS": vendors}
    settings = load_settings(given, folder / "none.toml")
    with open_services(settings) as use:
        Labels(use.database).add(
            [
                Label(
                    task=TEXT_HARM.name,
                    ref=f"p{place}",
                    text=text,
                    scores={
                        name: float(place % 5 == 0 and _category(place) == name)
                        for name in TEXT_HARM.categories
                    },
                    source=source,
                    terms="own",
                    at_ms=place,
                )
                for place, text in enumerate(texts(count, 1))
            ]
        )
        models = use.settings.models
        trained = train_task(use.database, TEXT_HARM, use.registry.folder, use.clock, models)
        if isinstance(trained, NotEnough):
            raise RuntimeError(trained.reason)
        accepted = Acceptance(
            task=TEXT_HARM.name, version=trained.version, by="b", reason="benchmark", at_ms=1
        )
        use.routes.accept(accepted, measuring_of(models))


def bodies(path: str, posts: list[str], size: int) -> Iterator[bytes]:
    """Requests of so many texts each; Perspective takes one comment at a time."""
    for start in range(0, len(posts), size):
        some = posts[start : start + size]
        if path == MODERATIONS:
            yield msgspec.json.encode({"input": some if size > 1 else some[0]})
        else:
            wanted: dict[str, dict[str, float]] = {"TOXICITY": {}, "INSULT": {}, "SPAM": {}}
            yield msgspec.json.encode(
                {"comment": {"text": some[0]}, "requestedAttributes": wanted, "languages": ["en"]}
            )


async def measure(report: Report, server: Server, count: int) -> None:
    """Each format alone, side by side, and in batches."""
    runs = [
        (MODERATIONS, 1, 1, 1.0), (ANALYZE, 1, 1, 1.0), (MODERATIONS, 1, 16, 2.0),
        (MODERATIONS, 100, 1, 10.0), (MODERATIONS, 100, 4, 10.0),
    ]  # fmt: skip
    async with aiohttp.ClientSession(headers=server.headers) as session:
        await _caller(session, f"{server.url}{MODERATIONS}", bodies(MODERATIONS, texts(200, 2), 1))
        for seed, (path, size, callers, share) in enumerate(runs, 3):
            posts = texts(int(count * share), seed)
            queue = bodies(path, posts, size)
            cpu_s, started = server.cpu_s(), time.perf_counter()
            took = await asyncio.gather(
                *(_caller(session, f"{server.url}{path}", queue) for _ in range(callers))
            )
            seconds = time.perf_counter() - started
            report.add(
                what=path,
                texts=size,
                callers=callers,
                texts_per_s=len(posts) / seconds,
                cpu_us=(server.cpu_s() - cpu_s) / len(posts) * 1e6,
                **quantiles_ms(list(itertools.chain.from_iterable(took))),
            )


async def _caller(session: aiohttp.ClientSession, url: str, queue: Iterator[bytes]) -> list[float]:
    """Post from the shared queue until it is empty; returns the time of each call in seconds."""
    took: list[float] = []
    for body in queue:
        started = time.perf_counter()
        async with session.post(url, data=body) as response:
            await response.read()
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {await response.text()}")
        took.append(time.perf_counter() - started)
    return took


def main() -> None:
    """Teach, serve, measure."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--texts", type=int, default=5_000, help="one by one")
        parser.add_argument("--core", type=int, help="pin the server to this core")

    options = arguments(__doc__ or "", extra)
    count = options.texts // (10 if options.quick else 1)
    report = Report(
        "judging",
        ("what", "texts", "callers", "texts_per_s", "cpu_us", "p50_ms", "p95_ms", "p99_ms"),
    )
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as folder:
        teach(Path(folder))
        with api_server(Path(folder), options.core) as server:
            asyncio.run(measure(report, server, count))
    report.finish(options)


if __name__ == "__main__":
    main()
