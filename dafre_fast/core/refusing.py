"""Keep the errors of libraries to the image that they were raised for."""

from collections.abc import Iterator
from contextlib import contextmanager

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason

_PARTS_OF_PILLOW = "PIL."
_ALL_OF_PILLOW = "PIL._imaging"


@contextmanager
def refusing() -> Iterator[None]:
    """Raise Refusal in place of an unexpected error: it costs one image, not the run.

    A MemoryError goes on, and so does the ImportError of a library: it would cost all images. A
    part of Pillow that is missing costs those of one format.
    """
    try:
        yield
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, ImportError) and _is_of_library(error):
            raise
        raise Refusal(Reason.DECODER_FAILED, f"{type(error).__name__}: {error}") from error


def _is_of_library(error: ImportError) -> bool:
    name = error.name or _PARTS_OF_PILLOW
    return name == _ALL_OF_PILLOW or not name.startswith(_PARTS_OF_PILLOW)
