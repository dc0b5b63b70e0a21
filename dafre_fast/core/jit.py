"""Compiled kernels: loaded from a cache without numba, and compiled by numba if it has none.

To import numba takes longer than most commands do, so only what compiles imports it: modules in
folders named `compiled`. A kernel is a plain function in one of them. It allocates nothing, and
gets all its arrays from its caller. The machine code is kept in one file per kernel, next to the
source, or in the user's cache if that folder cannot be written to (or in NUMBA_CACHE_DIR, if set).
It is made anew when any kernel, numba, or the processor is another.

The calling convention is that of numba's compiled functions (numba.core.callconv): a pointer to the
result, one to an error, then the arguments, an array as its fields (numba.core.datamodel): owner,
parent, number of elements, bytes of each, address, lengths, strides.
"""

import ctypes
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core import compiling

_PACKAGE = Path(__file__).parents[1]
_C_TYPES: dict[str, Any] = {
    "void": ctypes.c_int8,
    "boolean": ctypes.c_bool,
    "uint8": ctypes.c_uint8,
    "uint16": ctypes.c_uint16,
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
}
_TYPE = re.compile(r"(\w+)(?:\[([^\]]*)\])?")
_POINTER, _LENGTH = ctypes.c_void_p, ctypes.c_ssize_t
_OPTIONS = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_NO_SVML = "NUMBA_DISABLE_INTEL_SVML"
_LOCK = Lock()


class _Type(NamedTuple):
    """The type of an argument as numba writes it: `int64`, `uint8[:, ::1]`."""

    kind: np.dtype[Any]
    dimensions: int
    contiguous: bool

    @property
    def c_types(self) -> Sequence[Any]:
        if not self.dimensions:
            return [_C_TYPES[self.kind.name]]
        shape = [_LENGTH] * 2 * self.dimensions
        return [_POINTER, _POINTER, _LENGTH, _LENGTH, _POINTER, *shape]

    def check(self, array: NDArray[Any]) -> None:
        """Raise TypeError if a kernel would read an array as another."""
        whole = array.flags.c_contiguous or not self.contiguous
        if array.dtype != self.kind or array.ndim != self.dimensions or not whole:
            shape = f"{array.dtype}{list(array.shape)}{'' if whole else ', not contiguous'}"
            raise TypeError(f"a kernel takes {self.kind} of {self.dimensions} axes, not {shape}")


class Kernel:
    """A function that is compiled for one signature and can be called with numpy arrays.

    Loading is put off until the first call. Calls from several threads run at once.
    """

    def __init__(self, source: str, signature: str, **options: Any) -> None:
        """`source` is `module:function`; `signature` is numba's, of scalars and arrays, such as
        `int64(uint8[:, ::1], float32)`; `options` are those of `numba.njit`.
        """
        self._source, self._signature, self._options = source, signature, options
        result, *arguments = _TYPE.findall(signature)
        self._result = _C_TYPES[result[0]]
        self._types = [
            _Type(np.dtype(name), len(axes.split(",")) if axes else 0, axes.endswith("::1"))
            for name, axes in arguments
        ]
        self._function: Any = None

    def __repr__(self) -> str:
        return f"<kernel {self._source} {self._signature}>"

    def __call__(self, *arguments: Any) -> Any:
        """Call the kernel. Raises TypeError for an array of another type than the signature has,
        RuntimeError for what a kernel should never do, such as dividing by zero.
        """
        function = self._function or self.load()
        result, flat = self._result(), list[Any]()
        for value, wanted in zip(arguments, self._types, strict=True):
            if wanted.dimensions:
                wanted.check(value)
                flat += (None, None, value.size, value.itemsize, value.ctypes.data)
                flat += (*value.shape, *value.strides)
            else:
                flat.append(value)
        if status := function(ctypes.byref(result), ctypes.byref(_POINTER()), *flat):
            raise RuntimeError(f"{self!r} failed with status {status}")
        return result.value

    def load(self) -> Any:
        """Have the kernel ready: read its machine code from the cache, or compile it."""
        with _LOCK:
            if self._function is None:
                symbol, code = self._from_cache() or self._compiled()
                c_types = [one for kind in self._types for one in kind.c_types]
                address = _link(symbol, code)
                prototype = ctypes.CFUNCTYPE(ctypes.c_int32, _POINTER, _POINTER, *c_types)
                self._function = prototype(address)
        return self._function

    def _from_cache(self) -> tuple[str, bytes] | None:
        for path in self._places():
            with suppress(OSError, ValueError):
                stamp, symbol, digest, code = path.read_bytes().split(b"\n", 3)
                if stamp.decode() == _stamp() and digest == _digest(code):
                    return symbol.decode(), code
        return None

    def _compiled(self) -> tuple[str, bytes]:
        compiling.report()
        symbol, code = self._compile()
        for path in self._places():
            with suppress(OSError):
                content = b"\n".join([_stamp().encode(), symbol.encode(), _digest(code), code])
                _replace(path, content)
                break
        return symbol, code

    def _compile(self) -> tuple[str, bytes]:
        """Return the name of the compiled function and an object file that has it."""
        with _without_svml():
            from numba import njit
        module, _, name = self._source.partition(":")
        function = getattr(import_module(module), name)
        dispatcher = njit(self._signature, **_OPTIONS, **self._options)(function)
        (made,) = dispatcher.overloads.values()
        _, _, (code, _) = made.library.serialize_using_object_code()
        return made.fndesc.llvm_func_name, code

    def _places(self) -> Iterator[Path]:
        """Return the files in which the machine code may lie, the best first."""
        module, _, function = self._source.partition(":")
        kind = hashlib.sha256(f"{self._signature} {_processor()}".encode()).hexdigest()[:12]
        source = _PACKAGE.parent.joinpath(*module.split("."))
        name = f"{source.name}.{function}.{kind}.kernel"
        if folder := os.environ.get("NUMBA_CACHE_DIR"):
            yield Path(folder) / _of_package() / name
            return
        yield source.parent / "__pycache__" / name
        with suppress(RuntimeError):  # no home
            caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
            yield Path(caches) / "dafre_fast" / _of_package() / name


def _of_package() -> str:
    """Return the name of a folder for this copy of the package among those of others."""
    return hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:12]


def _digest(code: bytes) -> bytes:
    return hashlib.sha256(code).hexdigest().encode()


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; other processes may read or write it. Raises OSError."""
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def _without_svml() -> Iterator[None]:
    """Have numba imported without Intel's library of vector functions: code that calls it cannot be
    loaded where it is missing.
    """
    before = os.environ.get(_NO_SVML)
    os.environ[_NO_SVML] = "1"
    try:
        yield
    finally:
        os.environ.pop(_NO_SVML)
        if before is not None:
            os.environ[_NO_SVML] = before


@cache
def _stamp() -> str:
    """Return a digest of all that decides the machine code of kernels, but for the processor: the
    modules that are compiled or that hold their constants, numba, and its settings.
    """
    digest, files = hashlib.sha256(), [Path(__file__), _version_of_numba()]
    files += sorted({*_PACKAGE.glob("*/kernels/*.py"), *_PACKAGE.glob("**/compiled/*.py")})
    for path in files:
        digest.update(path.read_bytes())
    settings = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    settings.pop("NUMBA_CACHE_DIR", None)
    digest.update(repr(sorted(settings.items())).encode())
    return digest.hexdigest()


def _version_of_numba() -> Path:
    found = find_spec("numba")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'numba'")
    return Path(found.origin).with_name("_version.py")


@cache
def _processor() -> str:
    from llvmlite import binding

    return f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"


def _link(symbol: str, code: bytes) -> int:
    """Load an object file into this process; return the address of a function in it."""
    from llvmlite import binding

    engine = _engine()
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(symbol))


@cache
def _engine() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
