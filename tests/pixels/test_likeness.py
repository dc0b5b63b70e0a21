from itertools import combinations

import cv2
import numpy as np
import pytest
from PIL import Image

from dafre_fast.audit.settings import AuditRun
from dafre_fast.core.errors import Refusal
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.likeness import HASH_BYTES, likeness
from tests.edits import EDITS, IMAGES, cropped, drawn, jpeg, small

NAMES = ["112032.jpg", "119032.jpg", "chibi_2x.png", "city.jpg", "miku_CC_BY-NC.jpg", "slide.png"]
REAL = [pytest.param(IMAGES / name, id=name) for name in NAMES if (IMAGES / name).exists()]
LIMIT = AuditRun().distance


def hash_of(picture: Image.Image) -> bytes | None:
    return likeness(jpeg(picture), Size(*picture.size))


def bits(one: bytes | None, other: bytes | None) -> int:
    assert one is not None
    assert other is not None
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("path", REAL)
def test_a_real_picture_and_its_edit_are_within_the_default_distance(path, edit) -> None:
    picture = small(Image.open(path))
    assert bits(hash_of(picture), hash_of(EDITS[edit](picture))) <= LIMIT


def test_pictures_that_are_not_alike_differ_in_far_more_bits_than_the_default_distance() -> None:
    real = [small(Image.open(param.values[0])) for param in REAL]
    hashes = [hash_of(picture) for picture in (*real, *(drawn(seed) for seed in range(20)))]
    assert min(bits(one, other) for one, other in combinations(hashes, 2)) > 1.5 * LIMIT


def test_half_of_the_bits_are_set() -> None:
    assert bits(hash_of(drawn(0)), bytes(HASH_BYTES)) == 4 * HASH_BYTES


def test_bits_are_of_the_lowest_frequencies_of_the_cosine_transform() -> None:
    data = jpeg(drawn(1))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_4)
    frequencies = cv2.dct(picture.astype(np.float32))[1:17, 1:17]
    above = frequencies > np.sort(frequencies, axis=None)[127]
    words = np.unpackbits(np.frombuffer(likeness(data, Size(256, 360)), np.uint8)).reshape(16, 16)
    for word in range(16):
        expected = [above[row, (word + row) % 16] for row in range(16)]
        assert words[word].tolist() == expected


@pytest.mark.parametrize("size", [(128, 180), (64, 90), (400, 563), (1024, 1440)])
def test_a_picture_keeps_its_hash_in_another_size(size) -> None:
    picture = drawn(2)
    resized = picture.resize(size, Image.Resampling.LANCZOS)
    assert bits(hash_of(picture), hash_of(resized)) <= LIMIT // 2


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (8, 8), (17, 16)])
def test_the_smallest_pictures_have_a_hash_or_none(size) -> None:
    found = hash_of(drawn(3, size))
    assert found is None or len(found) == HASH_BYTES


@pytest.mark.parametrize("colour", ["white", "black", "#808080"])
def test_a_picture_with_nothing_in_it_has_no_hash(colour) -> None:
    assert hash_of(Image.new("RGB", (256, 300), colour)) is None


def test_faint_noise_is_nothing() -> None:
    noise = np.random.default_rng(0).normal(240, 1.5, (360, 256, 3)).clip(0, 255).astype(np.uint8)
    assert hash_of(Image.fromarray(noise)) is None


def test_the_distance_grows_with_the_crop() -> None:
    picture = drawn(4)
    found = [bits(hash_of(picture), hash_of(cropped(share)(picture))) for share in (0, 0.02, 0.1)]
    assert found == sorted(found)
    assert found[0] < LIMIT < found[-1]


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xd9", b"<html>", bytes(1000)])
def test_data_that_is_no_picture_is_refused(data) -> None:
    with pytest.raises(Refusal):
        likeness(data, Size(256, 256))
