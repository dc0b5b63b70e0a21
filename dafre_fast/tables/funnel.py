"""Write funnels to files, from which `stats` draws them."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from dafre_fast.core.atomic import replacing
from dafre_fast.core.summaries import Step, TagStep


def write_funnel(steps: Sequence[Step] | Sequence[TagStep], path: Path) -> None:
    """Write `{"steps": […]}` as JSON. Raises OutputError if the system refuses."""
    with replacing(path) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode({"steps": steps})))
