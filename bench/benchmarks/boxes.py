"""Boxes: the text of head boxes to arrays. Rows of faces.tsv count as images."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from bench.benchmarks import Workload
from bench.corpus import draw_boxes
from bench.measure import Contender, timed
from bench.records import Role
from dafre_fast.tables.boxes import parse_boxes

ONE_THREAD = True


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    lines = draw_boxes(workload.rows)
    text = "\n".join(lines).encode()
    rows = workload.rows

    def ours() -> None:
        parse_boxes(text, rows)

    yield [
        Contender("parse_boxes", partial(timed, ours), rows, warm_up=ours),
        Contender("plain Python", partial(timed, partial(_plain, lines)), rows, role=Role.PEER),
    ]


def _plain(lines: list[str]) -> np.ndarray:
    numbers = [[float(number) for number in line.replace(",", " ").split()] for line in lines]
    return np.array(numbers, np.float32)
