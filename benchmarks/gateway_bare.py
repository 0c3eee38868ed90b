"""The bare pass-through of the benchmark `gateway`: raw ASGI and aiohttp, nothing metered."""

import sys
from typing import Any

import aiohttp
import uvicorn


def main(port: int, upstream: int) -> None:
    """Pass on from one port to the other until killed."""
    url = f"http://127.0.0.1:{upstream}/v1/chat/completions"
    sessions: list[aiohttp.ClientSession] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not sessions:
            sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {"content-type": "application/json"}
        async with sessions[0].post(url, data=body, headers=headers) as answer:
            kind = answer.headers["content-type"].encode()
            begin = {"type": "http.response.start", "status": answer.status}
            await send({**begin, "headers": [(b"content-type", kind)]})
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", lifespan="off", access_log=False,
        log_level="warning",
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
