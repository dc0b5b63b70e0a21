"""Doubtful files are judged in a process of its own, which may die or hang."""

import os
import signal
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.engine import judge as judging
from dafre_fast.engine.judge import Judge


def jpeg() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


WHOLE = jpeg()
WITHOUT_END, BROKEN_OFF = WHOLE[:-2], WHOLE[: len(WHOLE) // 2]


@pytest.fixture
def judge():
    one = Judge()
    yield one
    one._end()


@pytest.fixture(scope="module")
def working():
    """One whose process has been started."""
    one = Judge()
    one(WITHOUT_END)
    yield one
    one._end()


def test_a_sound_file_needs_no_process(judge) -> None:
    assert judge(WHOLE) is True
    assert judge._process is None


def test_a_file_that_lacks_no_pixel_is_good(working) -> None:
    assert working(WITHOUT_END) is False


def test_a_file_that_breaks_off_is_refused(working) -> None:
    with pytest.raises(Refusal) as refused:
        working(BROKEN_OFF)
    assert refused.value.reason is Reason.TRUNCATED


def test_one_process_judges_many_files(working) -> None:
    first = working._process.pid
    assert working(WITHOUT_END) is False
    assert working._process.pid == first


def test_where_the_process_dies_the_file_is_left_to_the_workers(judge) -> None:
    judge(WITHOUT_END)
    os.kill(judge._process.pid, signal.SIGSTOP)  # it cannot answer before it is killed
    judging_seconds, judging._JUDGING_SECONDS = judging._JUDGING_SECONDS, 0
    try:
        assert judge(BROKEN_OFF) is False
    finally:
        judging._JUDGING_SECONDS = judging_seconds
    assert judge._process is None


def test_after_its_end_another_process_judges(judge) -> None:
    judge(WITHOUT_END)
    judge._process.kill()
    judge._process.wait()
    with pytest.raises(Refusal):
        judge(BROKEN_OFF)


def test_files_are_judged_beside_thousands_that_are_open(judge) -> None:
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert judge(WITHOUT_END) is False
        assert judge._process.stdout.fileno() > 1023
    finally:
        for one in many:
            os.close(one)


def test_its_process_ends_with_it() -> None:
    one = Judge()
    one(WITHOUT_END)
    process = one._process
    del one
    assert process.poll() is not None
