"""Funnels as files, for who draws them."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from dafre_fast.core.atomic import replacing
from dafre_fast.core.summaries import Step, TagStep


def write_funnel(steps: Sequence[Step] | Sequence[TagStep], path: Path) -> None:
    """Write `{"steps": […]}`. Raises OutputError where that is not possible."""
    with replacing(path) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode({"steps": steps})))
