"""Say what to install where PyTorch or safetensors is missing."""

from importlib.util import find_spec

from dafre_fast.core.errors import UsageError

_NEEDED = {"torch": "PyTorch", "safetensors": "safetensors"}


def check_installed() -> None:
    """Raise UsageError if a library of the extra `train` is not installed."""
    for module, name in _NEEDED.items():
        if not find_spec(module):
            raise UsageError(f"{name} is not installed: pip install 'dafre_fast[train]'")
