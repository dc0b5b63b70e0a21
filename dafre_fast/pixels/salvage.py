"""Keep what is there of a truncated JPEG or PNG (`--truncated keep`): whole rows, or whole scans.

Decoders in their lenient modes report success even if nothing was decoded. Here, only what the
strict decoder returned before it failed is kept.
"""

from msgspec.structs import replace

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import choose, vips
from dafre_fast.pixels.decoders.scans import whole_scans
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.plan import LARGEST_WHOLE, WHOLE, ImagePlan
from dafre_fast.pixels.rasters import Pictures


def keep(
    data: bytes, header: Header, plan: ImagePlan, refused: Refusal
) -> tuple[Pictures, str, Refusal | None]:
    """Return the outputs by name, a description of what is kept, and why some outputs that were
    wanted are missing. `refused` is what the strict decoder said.

    Raises Refusal (TRUNCATED) if there is nothing to keep.
    """
    nothing = Refusal(Reason.TRUNCATED, f"{refused.detail}; nothing could be kept")
    if header.format is Format.JPEG and header.scans > 1:
        if (whole := whole_scans(data)) is None:
            raise nothing
        made = choose.decode(whole, header, plan)
        return made, "breaks off; the scans before are kept", plan.refused
    width, height = header.stored
    if header.format not in (Format.JPEG, Format.PNG) or width * height > LARGEST_WHOLE:
        raise nothing
    image, rows = vips.whole_rows(data, header)
    if rows == 0:
        raise nothing
    there = [one for one in plan.outputs if not one.rect or one.rect.bottom <= rows]
    missing = plan.refused
    if len(there) < len(plan.outputs):
        missing = Refusal(Reason.TRUNCATED, "the head is not in what is kept")
    kept = ImagePlan(tuple(replace(one, eighths=WHOLE) for one in there), missing)
    made = vips.render(lambda _shrink: image, header, kept)
    return made, f"breaks off; {rows} of {height} stored rows are kept", missing
