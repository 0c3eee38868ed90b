"""PDQ: the same picture in other clothes is near, another one is far."""

import io

import numpy as np
import pytest
from media_worlds import file_of, hash_of, picture
from PIL import Image, ImageFilter

from inhouse.moderation.media.pdq import (
    LEAST_QUALITY,
    MOST_DISTANCE,
    PdqHash,
    distance,
    luminance,
    pdq_of,
)

SEEDS = range(12)


def clothes(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The picture compressed, made smaller, blurred, and brightened."""
    image = Image.fromarray(pixels)
    half = (image.width // 2, image.height // 2)
    images = {
        "jpeg": Image.open(io.BytesIO(file_of(pixels, "JPEG", quality=60))),
        "half": image.resize(half),
        "blur": image.filter(ImageFilter.GaussianBlur(1)),
        "bright": image.point(lambda value: min(value + 12, 255)),
    }
    return {name: np.asarray(each.convert("RGB")) for name, each in images.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_picture_is_found_in_other_clothes(seed: int) -> None:
    """Compression to 60, half the size, a mild blur and more light leave it within 31 bits."""
    pixels = picture(seed)
    own = hash_of(pixels)
    apart = {name: distance(own.bits, hash_of(it).bits) for name, it in clothes(pixels).items()}

    assert own.quality >= LEAST_QUALITY
    assert {name for name, bits in apart.items() if bits > MOST_DISTANCE} == set()


def test_other_pictures_are_far() -> None:
    """No two of them are within 31 bits, by far."""
    hashes = [hash_of(picture(seed)).bits for seed in SEEDS]
    apart = [distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]

    assert min(apart) > 2 * MOST_DISTANCE


def test_half_the_bits_are_set() -> None:
    """The threshold is the median, whatever the picture."""
    assert {int.from_bytes(hash_of(picture(seed)).bits).bit_count() for seed in SEEDS} == {128}


def test_a_known_picture_has_its_known_hash() -> None:
    """A fixed picture keeps its hash over versions: banks hold hashes for years."""
    down, along = np.arange(96)[:, None], np.arange(128)[None, :]
    waves = 127 + 60 * np.sin(down / 7 + along / 11) + 60 * np.sin(down * along / 900)

    assert pdq_of(waves.astype(np.float32)) == PdqHash(bits=bytes.fromhex(KNOWN), quality=100)


KNOWN = "f55afa07d55ae807555aa007555a0007555a0017555a0017aaaffffaaaacfff8"


def test_a_plain_wall_says_that_it_is_plain() -> None:
    """Without gradients the quality is 0, and with few it is below what counts."""
    wall = np.full((100, 100, 3), 90, np.uint8)
    noisy = wall + np.random.default_rng(0).integers(0, 3, wall.shape, dtype=np.uint8)

    assert (hash_of(wall).quality, hash_of(noisy).quality) == (0, 0)


def test_a_picture_of_few_pixels_has_no_hash() -> None:
    """Below five pixels a side there is nothing to say."""
    assert hash_of(picture(1, 4, 300)) == PdqHash(bits=bytes(32), quality=0)


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (64, 64), (63, 65), (7, 1_500), (300, 200)])
def test_it_is_what_the_reference_program_says(rows: int, columns: int) -> None:
    """Where the reference is installed, good hashes are within 10 bits of it, and so is quality."""
    reference = pytest.importorskip("pdqhash")
    for seed in SEEDS:
        pixels = picture(seed, rows, columns)
        vector, quality = reference.compute(pixels)
        own = hash_of(pixels)

        assert own.quality == quality
        if quality >= LEAST_QUALITY:
            assert distance(own.bits, np.packbits(vector).tobytes()) <= 10


def test_luminance_weighs_green_most() -> None:
    """As the eye does."""
    pixels = np.diag([255, 255, 255]).astype(np.uint8).reshape(1, 3, 3)

    assert luminance(pixels)[0].round(1).tolist() == pytest.approx([76.2, 149.7, 29.1], abs=0.06)
