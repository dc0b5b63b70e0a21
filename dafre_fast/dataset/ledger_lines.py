"""Encode and decode lines of the ledger: one outcome as a JSON object.

The outcome of making an image is flat, like a row of the manifest: the fields of each output have
the names of its columns (`dataset.outputs`). A ledger can therefore be read as one table, whichever
version of the program wrote its lines and whatever outputs that version knew.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from dafre_fast.core.records import Detected, Fetched, Made, MadeOutput, Outcome
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP
from dafre_fast.dataset.output_columns import FIELDS, prefix_of

_LAST = "sha256"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Outcome).decode
_MadeLine = msgspec.defstruct(
    "_MadeLine",
    [
        (f"{prefix_of(output.name)}{field}", kind | None, None)
        for output in (FULL_IMAGE, HEAD_CROP)
        for field, kind in MadeOutput.__annotations__.items()
        if field in FIELDS
    ],
    bases=(Made,),
    tag_field="stage",
    tag="make",
)
_check = msgspec.json.Decoder(_MadeLine | Fetched | Detected).decode


def encode(entry: Outcome) -> bytes:
    """Return the line of an outcome, without a line break."""
    if not isinstance(entry, Made) or not entry.outputs:
        return _encode(entry)
    columns = {
        f"{prefix_of(output.name)}{field}": getattr(output, field)
        for output in entry.outputs
        for field in FIELDS
    }
    facts = _encode(replace(entry, outputs=()))
    return facts[:-1] + b"," + _encode(columns)[1:]


def check(line: bytes) -> Outcome:
    """Decode a line without its outputs, in a tenth of the time that `decode` takes.

    Raises msgspec.DecodeError or UnicodeDecodeError if the line is not a complete outcome.
    """
    entry: Outcome = _check(line)
    return entry


def decode(line: bytes) -> Outcome:
    """Decode a line. Raises as `check` does."""
    entry: Outcome = _decode(line)
    if not isinstance(entry, Made):
        return entry
    columns: dict[str, Any] = msgspec.json.decode(line)
    prefixes = [column.removesuffix(_LAST) for column in columns if column.endswith(_LAST)]
    outputs = (
        {"name": prefix.removesuffix("_") or FULL_IMAGE.name}
        | {field: columns.get(f"{prefix}{field}") for field in FIELDS}
        for prefix in prefixes
    )
    return replace(entry, outputs=msgspec.convert([*outputs], tuple[MadeOutput, ...]))
