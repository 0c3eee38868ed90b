"""Which scenes and colours a topic has, and the finished picture of a post."""

from collections.abc import Callable, Mapping
from typing import Final

from inhouse.core.random import stream
from inhouse.simulator.covers import outdoors, things
from inhouse.simulator.covers.canvas import Canvas, Palette
from inhouse.simulator.topics import Topic

Scene = Callable[[Canvas], None]

SCENES: Final[Mapping[Topic, tuple[Scene, ...]]] = {
    "cooking": (things.plate, things.plate, things.cups),
    "cycling": (things.wheel, outdoors.road),
    "astronomy": (outdoors.night, outdoors.night, outdoors.hills),
    "gardening": (outdoors.leaves, outdoors.leaves, outdoors.hills),
    "chess": (things.board, things.board, things.cups),
    "photography": (things.aperture, outdoors.skyline, outdoors.waves),
    "synths": (things.knobs, things.records),
    "hiking": (outdoors.mountains, outdoors.hills, outdoors.mountains),
    "woodworking": (things.grain, things.grain, outdoors.hills),
    "tea": (things.cups, outdoors.leaves),
    "football": (outdoors.pitch,),
    "film": (things.reel, outdoors.skyline),
    "languages": (things.bubbles, things.bubbles, outdoors.skyline),
    "sewing": (things.quilt,),
    "robotics": (things.gears,),
    "city": (outdoors.skyline, outdoors.waves, outdoors.skyline),
}


def _palettes(*rows: str) -> tuple[Palette, ...]:
    names = ("high", "low", "soft", "firm", "bright", "ink")
    return tuple(
        Palette(**{n: f"#{c}" for n, c in zip(names, row.split(), strict=True)}) for row in rows
    )


PALETTES: Final[Mapping[Topic, tuple[Palette, ...]]] = {
    "cooking": _palettes(
        "fff3dd f2c48d e6a15c b5522b f2a03d 4a2b22",
        "fdeee6 e9b7a0 d98f6c 7d8f45 e2553f 3c3a22",
        "eef4f2 bcd3c8 93b7a8 4f7a6b f26b4a 22352f",
    ),
    "cycling": _palettes(
        "cfe8ef f4e3c1 8fb8c4 4f7f8f f26a4b 20323c",
        "ffe6c7 f5b48a e08e66 8a5a6b ffd35c 3a2540",
        "e6f3df a9cf9c 83b27d 4d7f5c ffb03b 20382b",
    ),
    "astronomy": _palettes(
        "101a3a 3b3270 5d5aa8 2a2b63 ffe6a8 0a0d22", "0c2233 1f5866 3d8f95 1b4450 fff1c9 061219"
    ),
    "gardening": _palettes(
        "f3f6df c9dfae 8dbb78 4f8a5b f28a8a 27482f", "fdf0e3 d6e3b8 a3bf7f 628d4f f6b93f 2f4a2c"
    ),
    "chess": _palettes(
        "e9e4da b8b0a2 efe6d2 8b6f58 d9653b 33282a",
        "dfe7ea 93a7b0 e9eef0 5f7f90 f2b134 1f2d38",
        "f6e7d8 c98b6a f7e6cf a4583f ffcf5c 3a1d1a",
    ),
    "photography": _palettes(
        "e8e4e1 a8a3a8 9aa1ad 4a4f5c f2b84b 1d1f27", "f7d9c9 c98f97 a87b93 5d5078 ffd9a0 2a2140"
    ),
    "synths": _palettes(
        "f5e1ee a58bd0 b79ae0 4b3b82 ff7a6b 1f1838",
        "d8f0ee 6fb7b7 8fd0cc 2f6670 ffcf4a 12282e",
        "2b2540 4a2f55 6b4a7d 3d3060 ffb347 151126",
    ),
    "hiking": _palettes(
        "eef3f5 a9cbd3 8fb3bd 55828c f7b267 24414a", "ffe9d6 e9a98c b5838d 6d597a ffcf70 2e2a45"
    ),
    "woodworking": _palettes(
        "fbeed8 d9a86c d8a870 b98347 e2703a 4a2e1c",
        "f4ead9 caa67a c49a6c 9a6b42 6fa08b 3a2619",
        "f0e6da b99f84 b08f70 7d6148 d9a441 2e231a",
    ),
    "tea": _palettes(
        "f2f4e4 c5d3a5 a9bf86 7a9464 e9e2c0 38492f", "fbeee0 e0b892 d29b6d 8f5d3e d8573c 40281f"
    ),
    "football": _palettes(
        "8fcf8a 3f8f55 6dbb6b 57a85c f7e04b 1b3a5c",
        "9fd3a0 2f7f5f 4fae7c 43a070 f2f2f2 b5313a",
        "a8d88f 4f9f4a 8cc96b 74b857 ff7a45 23304f",
    ),
    "film": _palettes(
        "3b2a4d 1a1426 7a3b52 4a2440 ffe2a0 150d1d", "2a3b4d 101a26 5a7a8f 31506a f6c66b 0b121b"
    ),
    "languages": _palettes(
        "fff6e5 f6d7b0 f2a65a 5b8e7d f25f5c 2f4858",
        "eef2ff c3cff2 8fa4e0 5468b8 ff8f6b 27305a",
        "f3fbf4 bfe0c8 83bf9c 3f7f74 f2a33a 1f3f46",
    ),
    "sewing": _palettes(
        "fdf1ea f3cdbb e9a6a6 9c7a97 d7263d 3d3350",
        "eef4ee cfe0d2 9cc3b0 5f8f8b f2a541 2b4a4f",
        "f2eef8 cfc3e3 b39ad0 7a63a8 ff8f5c 2c2350",
    ),
    "robotics": _palettes(
        "e4eef2 a9c3cf 9fb9c6 5d8296 ff8552 22333b",
        "f1ecf7 bcaed8 a793cc 6d5aa0 5ce0c6 241c3d",
        "fdf3e3 f0cfa0 e3b27a a8643c 3fb8af 33231c",
    ),
    "city": _palettes(
        "ffd9b8 f08a7b c76b7e 6b4a7a ffe9a8 2a1e45",
        "bfe3f0 5c8fb5 7fb0cf 3d6a94 fff0b8 16293f",
        "2c3558 7a4f78 6f6a9c 3d3f6b ffd98a 141a33",
    ),
}


def cover(item_id: str, topic: Topic, *, moving: bool = False) -> str:
    """The cover of a post as SVG; the same id and topic always give the same picture."""
    random = stream(0, "cover", item_id)
    palettes, scenes = PALETTES[topic], SCENES[topic]
    canvas = Canvas(
        palette=palettes[int(random.integers(len(palettes)))], random=random, moving=moving
    )
    scenes[int(random.integers(len(scenes)))](canvas)
    if canvas.chance(0.5):
        canvas.mirror()
    return canvas.svg()
