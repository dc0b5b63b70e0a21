"""Boxes: parse the text of faces.tsv, mostly boxes, to arrays. Rows count as images."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from bench.benchmarks import Workload
from bench.corpus import draw_boxes
from bench.measure import Contender, timed
from bench.records import Role
from dafre_fast.core.layout import bucket
from dafre_fast.tables.kernels.row_lines import parse_faces

ONE_THREAD = True


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    lines, rows = draw_boxes(workload.rows), workload.rows
    whole = "".join(f"{bucket(row)}\\{row}.jpg\t5\t{box}\n" for row, box in enumerate(lines))
    text = np.frombuffer(whole.encode(), np.uint8)

    def ours() -> None:
        parse_faces(text)

    yield [
        Contender("parse_faces", partial(timed, ours), rows, warm_up=ours),
        Contender(
            "plain Python, boxes alone",
            partial(timed, partial(_plain, lines)),
            rows,
            role=Role.PEER,
        ),
    ]


def _plain(lines: list[str]) -> np.ndarray:
    numbers = [[float(number) for number in line.replace(",", " ").split()] for line in lines]
    return np.array(numbers, np.float32)
