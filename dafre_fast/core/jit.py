"""Compiled kernels: loaded from a cache without numba, and compiled by numba if it has none.

To import numba takes longer than most commands do, so only what compiles imports it: modules in
folders named `compiled`. A kernel is a plain function in one of them. It allocates nothing, and
gets all its arrays from its caller. The machine code is kept in one file per kernel, next to the
source, or in the user's cache if that folder cannot be written to (or in NUMBA_CACHE_DIR, if set).
It is made anew when any kernel, numba, or the processor is another.

ctypes takes a quarter of a microsecond per argument, and numba's compiled functions have seven and
more for each array (numba.core.datamodel: owner, parent, number of elements, bytes of each,
address, lengths, strides). So each kernel is called through an entry of one argument, a block of
packed fields, which passes them on as numba does (numba.core.callconv).
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
from struct import Struct
from threading import Lock
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from dafre_fast.core import compiling

_PACKAGE = Path(__file__).parents[1]
_TYPE = re.compile(r"(\w+)(?:\[([^\]]*)\])?")
_PACKED = {"float32": "f4x", "float64": "d"}
_NO_SVML = "NUMBA_DISABLE_INTEL_SVML"
_ADDRESS = ctypes.c_size_t
_LOCK = Lock()


class _Type(NamedTuple):
    """The type of an argument as numba writes it: `int64`, `uint8[:, ::1]`."""

    kind: np.dtype[Any]
    dimensions: int
    contiguous: bool

    @property
    def packed(self) -> str:
        """The fields of an argument in the block, as the module `struct` writes them."""
        if not self.dimensions:
            return _PACKED.get(self.kind.name, "q")
        return "q" * (1 + self.dimensions * (1 if self.contiguous else 2))

    def check(self, array: NDArray[Any]) -> None:
        """Raise TypeError if a kernel would read an array as another."""
        whole = not self.contiguous or array.flags.c_contiguous
        if array.dtype != self.kind or array.ndim != self.dimensions or not whole:
            shape = f"{array.dtype}{list(array.shape)}{'' if whole else ', not contiguous'}"
            raise TypeError(f"a kernel takes {self.kind} of {self.dimensions} axes, not {shape}")


class _Code(msgspec.Struct):
    """A compiled kernel, as it is kept on disk: two object files, and the function to be called."""

    stamp: str
    kernel: bytes
    entry: bytes
    symbol: str


_decode = msgspec.msgpack.Decoder(_Code).decode


class Kernel:
    """A function that is compiled for one signature and can be called with numpy arrays.

    Loading is put off until the first call. Calls from several threads run at once.
    """

    def __init__(self, source: str, signature: str, **options: Any) -> None:
        """`source` is `module:function`; `signature` is numba's, of scalars and arrays, such as
        `int64(uint8[:, ::1], float32)`; `options` are those of `numba.njit`.
        """
        self._source, self._signature, self._options = source, signature, options
        (self._result, _), *arguments = _TYPE.findall(signature)
        self._types = [
            _Type(np.dtype(name), len(axes.split(",")) if axes else 0, axes.endswith("::1"))
            for name, axes in arguments
        ]
        self._pack = Struct("".join(one.packed for one in self._types)).pack
        self._function: Any = None
        _ALL.append(self)

    def __repr__(self) -> str:
        return f"<kernel {self._source} {self._signature}>"

    def __call__(self, *arguments: Any) -> Any:
        """Call the kernel. Raises TypeError for an array of another type than the signature has,
        RuntimeError for what a kernel should never do, such as dividing by zero.
        """
        function, fields = self._function or self.load(), list[Any]()
        for value, wanted in zip(arguments, self._types, strict=True):
            if wanted.dimensions:
                wanted.check(value)
                fields.append(_address(value))
                fields += value.shape
                if not wanted.contiguous:
                    fields += value.strides
            else:
                fields.append(value)
        result: int = function(self._pack(*fields))
        if result < 0:
            raise RuntimeError(f"{self!r} failed")
        return result

    @property
    def is_kept(self) -> bool:
        """True if its machine code is in the cache."""
        return self._from_cache() is not None

    def load(self) -> Any:
        """Have the kernel ready: read its machine code from the cache, or compile it."""
        with _LOCK:
            if self._function is None:
                address = _link(self._from_cache() or self._compiled())
                self._function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_char_p)(address)
        return self._function

    def _from_cache(self) -> "_Code | None":
        for path in self.places():
            with suppress(OSError, msgspec.DecodeError):
                code = _decode(path.read_bytes())
                if code.stamp == _stamp():
                    return code
        return None

    def _compiled(self) -> "_Code":
        compiling.report()
        code = self._compile()
        for path in self.places():
            with suppress(OSError):
                _replace(path, msgspec.msgpack.encode(code))
                break
        return code

    def _compile(self) -> "_Code":
        with _without_svml():
            from dafre_fast.core.compiled.compiler import compile_kernel
        module, _, name = self._source.partition(":")
        function = getattr(import_module(module), name)
        code, symbol = compile_kernel(function, self._signature, **self._options)
        return _Code(_stamp(), code, _entry(symbol, self._result, self._types), f"entry.{symbol}")

    def places(self) -> Iterator[Path]:
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


_ALL = list[Kernel]()


def kernels() -> Sequence[Kernel]:
    """Return the kernels of all modules that were imported so far."""
    return [*_ALL]


def can_keep() -> bool:
    """Return True if machine code can be written to one of the places of the kernels so far."""
    return all(any(map(_is_writable, kernel.places())) for kernel in _ALL)


def _is_writable(path: Path) -> bool:
    folder = next(one for one in path.parents if one.exists())
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def load_all() -> None:
    """Have the kernels of all modules ready that were imported so far."""
    for kernel in _ALL:
        kernel.load()


def _address(array: NDArray[Any]) -> int:
    """Return the address of the first element. It is the first field of a numpy array behind the
    head of a Python object, as in PyArray_DATA; to read it there takes a seventh of the time that
    `array.ctypes.data` does.
    """
    return _ADDRESS.from_address(id(array) + object.__basicsize__).value


def _of_package() -> str:
    """Return the name of a folder for this copy of the package among those of others."""
    return hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:12]


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
        raise ModuleNotFoundError("No module named 'numba'", name="numba")
    return Path(found.origin).with_name("_version.py")


@cache
def _processor() -> str:
    from llvmlite import binding

    return f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"


def _entry(symbol: str, result: str, types: Sequence[_Type]) -> bytes:
    """Return an object file with the entry of a compiled function: it returns the result, which is
    never negative, and -1 for an error.
    """
    from llvmlite import ir

    byte, number, word = (ir.IntType(bits) for bits in (8, 32, 64))
    pointer, named = byte.as_pointer(), {"float32": ir.FloatType(), "float64": ir.DoubleType()}
    module = ir.Module("entry")
    entry = ir.Function(module, ir.FunctionType(word, [pointer]), f"entry.{symbol}")
    builder = ir.IRBuilder(entry.append_basic_block())
    places = iter(range(sum(one.dimensions * 2 + 1 for one in types)))

    def field(kind: Any = word) -> Any:
        place = builder.gep(entry.args[0], [word(8 * next(places))])
        return builder.load(builder.bitcast(place, kind.as_pointer()))

    passed = [builder.bitcast(builder.alloca(word), pointer)]  # for the result
    passed.append(builder.bitcast(builder.alloca(word), pointer))  # for the error
    for one in types:
        if not one.dimensions:
            passed.append(field(named.get(one.kind.name, ir.IntType(8 * one.kind.itemsize))))
            continue
        address, lengths = field(pointer), [field() for _ in range(one.dimensions)]
        strides, size = list[Any](), word(one.kind.itemsize)
        for length in reversed(lengths):
            strides.insert(0, size)
            size = builder.mul(size, length)
        if not one.contiguous:
            strides = [field() for _ in lengths]
        count = builder.sdiv(size, word(one.kind.itemsize))
        passed += [pointer(None), pointer(None), count, word(one.kind.itemsize), address]
        passed += [*lengths, *strides]
    kinds = [value.type for value in passed]
    function = ir.Function(module, ir.FunctionType(number, kinds), symbol)
    status = builder.call(function, passed)
    made = builder.load(
        builder.bitcast(passed[0], (byte if result == "boolean" else word).as_pointer())
    )
    made = word(0) if result == "void" else builder.zext(made, word)
    builder.ret(builder.select(builder.icmp_signed("==", status, number(0)), made, word(-1)))
    return bytes(_machine().emit_object(_parsed(str(module))))


def _link(code: _Code) -> int:
    """Load a compiled kernel into this process; return the address of its entry."""
    from llvmlite import binding

    engine = _engine()
    for part in (code.kernel, code.entry):
        engine.add_object_file(binding.ObjectFileRef.from_data(part))
    engine.finalize_object()
    return int(engine.get_function_address(code.symbol))


def _parsed(text: str) -> Any:
    from llvmlite import binding

    return binding.parse_assembly(text)


def _machine() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple().create_target_machine(jit=True)


@cache
def _engine() -> Any:
    from llvmlite import binding

    return binding.create_mcjit_compiler(_parsed(""), _machine())
