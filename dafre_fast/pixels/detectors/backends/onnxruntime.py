"""Run networks with ONNX Runtime (`pip install 'dafre_fast[detect]'`), 2 to 4 times as fast."""

from typing import Any

import numpy as np

from dafre_fast.core.errors import UsageError
from dafre_fast.pixels.detectors.backends.base import Network, one_line
from dafre_fast.pixels.detectors.families.base import Floats, Outputs

_INPUTS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_PROVIDERS: dict[str, dict[str, Any]] = {
    # Several workers share the GPU: none takes more of its memory than it needs, and none tries
    # every algorithm at every new size of a picture. Without TF32, scores are those of the CPU.
    "CUDAExecutionProvider": {
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": "0",
    },
    "CPUExecutionProvider": {},
}
"""Providers that run a network, the fastest first, with their options."""


def load(data: bytes, name: str) -> Network:
    """Load a network from the bytes of an ONNX file; `name` is that of its input. It runs on the
    GPU if this ONNX Runtime has CUDA and finds one.

    Raises UsageError if ONNX Runtime cannot, or if the input is of other numbers than floats.
    """
    import onnxruntime as ort

    session = _session(ort, data)
    (kind,) = (one.type for one in session.get_inputs() if one.name == name)
    if kind not in _INPUTS:
        raise UsageError(f"takes an input of {kind}, where a detector takes floats")
    names = [output.name for output in session.get_outputs()]

    def run(planes: Floats) -> Outputs:
        planes = planes.astype(_INPUTS[kind], copy=False)
        outputs = session.run(names, {name: planes})
        return {
            one: np.asarray(output, np.float32) for one, output in zip(names, outputs, strict=True)
        }

    place = session.get_providers()[0].removesuffix("ExecutionProvider")
    return Network(run, f"ONNX Runtime {ort.__version__} on {_PLACES.get(place, place)}")


_PLACES = {"CPU": "the CPU", "CUDA": "the GPU"}


def _session(ort: Any, data: bytes) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = (
        False  # pictures differ in size, so that a pattern never comes again
    )
    options.log_severity_level = 4
    there = ort.get_available_providers()
    providers = [one for one in _PROVIDERS.items() if one[0] in there]
    try:
        return ort.InferenceSession(data, options, providers=providers)
    except Exception as error:  # its exceptions share no base class but this
        raise UsageError(f"ONNX Runtime cannot read the model: {one_line(error)}") from error
