"""Cover pictures."""

from xml.etree import ElementTree

import pytest

from inhouse.core.random import stream
from inhouse.simulator.covers.canvas import HEIGHT, WIDTH, Canvas, Palette
from inhouse.simulator.covers.draw import PALETTES, SCENES, cover
from inhouse.simulator.topics import TOPICS, Topic

PALETTE = Palette(
    high="#ffffff", low="#eeeeee", soft="#dddddd", firm="#999999", bright="#ff0000", ink="#000000"
)


@pytest.mark.parametrize("topic", TOPICS)
def test_covers_are_well_formed_and_small(topic: Topic) -> None:
    """Every picture is XML with a size, and light enough to be served by the dozen."""
    for number in range(6):
        text = cover(f"post-{number:06d}", topic)
        root = ElementTree.fromstring(text)
        assert root.attrib["viewBox"] == f"0 0 {WIDTH} {HEIGHT}"
        assert len(root) > 3
        assert "nan" not in text
        assert len(text) < 40_000


@pytest.mark.parametrize("topic", TOPICS)
def test_a_cover_follows_from_id_and_topic(topic: Topic) -> None:
    """The same post always looks the same, another one differs."""
    assert cover("post-000001", topic) == cover("post-000001", topic)
    assert cover("post-000001", topic) != cover("post-000002", topic)


def test_every_topic_has_scenes_and_palettes() -> None:
    """No topic is without a picture."""
    assert tuple(SCENES) == TOPICS
    assert tuple(PALETTES) == TOPICS


@pytest.mark.parametrize(
    "scene", sorted({s for scenes in SCENES.values() for s in scenes}, key=lambda s: s.__name__)
)
def test_moving_pictures_show_the_same_shapes(scene) -> None:  # type: ignore[no-untyped-def]
    """Movement wraps shapes and changes none; still pictures hold no movement."""
    drawn = []
    for moving in (False, True):
        canvas = Canvas(palette=PALETTE, random=stream(3, scene.__name__), moving=moving)
        scene(canvas)
        drawn.append(canvas.svg())
    ElementTree.fromstring(drawn[1])
    assert "animateTransform" not in drawn[0]
    assert drawn[0].count("<path") == drawn[1].count("<path")
    assert drawn[0].count("<circle") == drawn[1].count("<circle")
