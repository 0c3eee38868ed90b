"""Serves the cover pictures of posts, drawn when asked for."""

from functools import lru_cache
from typing import Final

from aiohttp import web

from inhouse.simulator.covers.draw import cover
from inhouse.simulator.topics import KINDS, TOPICS, Topic
from inhouse.simulator.wire import post_number
from inhouse.simulator.world import World

PATH: Final = "/media"
KEPT_COVERS: Final = 1_000  # finished pictures kept in memory
_HEADERS: Final = {
    "Cache-Control": "public, max-age=604800, immutable",
    "Access-Control-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
}


def media_app(world: World) -> web.Application:
    """GET /media/{item id}.svg"""

    async def picture(request: web.Request) -> web.Response:
        item_id = request.match_info["item_id"]
        post = post_number(item_id, world.post_count)
        if post < 0:
            raise web.HTTPNotFound(text=f"no post is called {item_id[:80]!r}")
        topic = TOPICS[world.posts.topic[post]]
        tag = f'"{item_id}-1"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={**_HEADERS, "ETag": tag})
        moving = KINDS[world.posts.kind[post]] == "video"
        return web.Response(
            body=_drawn(item_id, topic, moving),
            content_type="image/svg+xml",
            headers={**_HEADERS, "ETag": tag},
        )

    app = web.Application()
    app.router.add_get(PATH + "/{item_id:[^/]+}.svg", picture)
    return app


@lru_cache(maxsize=KEPT_COVERS)
def _drawn(item_id: str, topic: Topic, moving: bool) -> bytes:
    return cover(item_id, topic, moving=moving).encode()
