"""The table of backends."""

from importlib import import_module
from importlib.util import find_spec

from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.detecting import BackendName
from dafre_fast.pixels.detectors.backends.base import Network


def load(data: bytes, name: str, backend: BackendName | None) -> Network:
    """Load a network with a backend, or with the fastest that is installed for None.

    `name` is that of its input. Raises UsageError if the backend is not installed or cannot.
    """
    installed = find_spec("onnxruntime") is not None
    if backend == "onnxruntime" and not installed:
        raise UsageError("ONNX Runtime is not installed: pip install 'dafre_fast[detect]'")
    chosen = backend or ("onnxruntime" if installed else "opencv")
    network: Network = import_module(f"{__package__}.{chosen}").load(data, name)
    return network
