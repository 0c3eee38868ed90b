"""A vendor, and the official client of a server that passes calls on to it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
from tests.api.wire_world import running_as
from tests.models.models_vendor import Vendor

from inhouse.app.build import Services
from inhouse.models.ledger.rows import Ledger

HELLO: Any = [{"role": "user", "content": "hello"}]
VENDORS = """
[main]
url = "{url}"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
serves = ["chat", "embeddings"]
stand_ins = ["other"]
keep_calls = true
[other]
url = "{url}"
model = "gpt-4o"
host = "elsewhere"
owner = "openai"
serves = ["chat"]
"""


WHOLE = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini"}


@asynccontextmanager
async def client_of(
    services: Services, *replies: Any, vendors: str = VENDORS
) -> AsyncIterator[Any]:
    """A vendor, and the official client of a server that passes calls on to it."""
    async with Vendor(*replies) as vendor:
        Path(services.settings.models.vendors).write_text(vendors.format(url=vendor.url))
        _, secret = services.keys.create("app", ["models"])
        with running_as(os.environ["TESTED_ROLE"], services) as address:
            async with openai.AsyncOpenAI(
                base_url=f"{address}/openai/v1", api_key=secret, max_retries=0, timeout=20
            ) as client:
                yield client, vendor


def through(
    services: Services,
    play: Callable[[Any, Any], Awaitable[None]],
    *replies: Any,
    vendors: str = VENDORS,
) -> None:
    """Play it with such a client, the vendor giving those replies in turn."""

    async def whole() -> None:
        async with client_of(services, *replies, vendors=vendors) as (client, vendor):
            await play(client, vendor)

    asyncio.run(whole())


async def metrics_of(client: Any) -> str:
    """What the server that it asks tells of itself."""
    async with httpx.AsyncClient(timeout=60) as plain:
        found = await plain.get(str(client.base_url).replace("/openai/v1/", "/metrics"))
    return found.text


def rows_of(services: Services) -> list[tuple[str, str, str]]:
    """What is in the ledger; all of it once the server has stopped."""
    rows = [attempt for _, attempt in Ledger(services.database).read()]
    return [(row.task, row.deployment, row.outcome) for row in rows]
