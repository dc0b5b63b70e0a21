"""Record by which protocol the label files of a folder were split, and warn where two meet.

91,061 of the 94,440 test images of DAF:re are training images in the split of the first dataset: a
model that was trained on one must never be measured on the other.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import OutputError
from dafre_fast.core.events import Notice, Tell
from dafre_fast.core.settings.tables import Protocol, Splitting
from dafre_fast.core.splits import SPLITS

PROTOCOL = "split.json"
_CALLED = {"shares": "shares of each class", "files": "files of ids", "drawn": "a draw"}


class Split(Struct, frozen=True):
    """The rule that decided the split of label files: the protocol, and the seed of a draw."""

    protocol: Protocol
    seed: int | None = None


def record_protocol(labels: Path, splitting: Splitting, tell: Tell) -> None:
    """Record the protocol of label files that are about to be written into a folder; shares of each
    class leave no record.

    Tells a notice if the folder has label files of another split. Raises OutputError if the record
    cannot be written.
    """
    path, now = labels / PROTOCOL, Split(splitting.protocol, splitting.split_seed)
    before = _before(labels)
    if before and before != now:
        tell(
            Notice(
                f"{labels}: the labels here were split by {_CALLED[before.protocol]}, and are now"
                f" by {_CALLED[now.protocol]}: a model trained on the one knows test images of the"
                " other"
            )
        )
    if now.protocol != "shares":
        with replacing(path) as part:
            part.write_bytes(msgspec.json.format(msgspec.json.encode(now)))
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error


def _before(labels: Path) -> Split | None:
    """Return the protocol of the label files in a folder, None if there are none."""
    if not any((labels / f"{split}.csv").exists() for split in SPLITS):
        return None
    try:
        return msgspec.json.decode((labels / PROTOCOL).read_bytes(), type=Split)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Split("shares")
