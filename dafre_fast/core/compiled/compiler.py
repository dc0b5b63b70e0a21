"""The compiler of kernels: numba's, of which LLVM sees each kernel as a whole, once.

numba optimises every function, and makes machine code of it, before another inlines it; so a kernel
of forty functions costs as much as ten. Here functions are only linked, and what is optimised is
the kernel, with all that it inlines. That is also faster code: LLVM knows that nobody else calls a
function, and inlines it whatever its size. numba's passes for closures, objects and arrays as
expressions, which kernels have none of, are left out, a third of the time.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from numba.core import typed_passes, typeinfer, untyped_passes
from numba.core.codegen import AOTCodeLibrary, JITCPUCodegen
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager
from numba.core.registry import CPUDispatcher, CPUTarget, cpu_target

_NEEDLESS = {
    typed_passes.AnnotateTypes,
    typed_passes.InlineOverloads,
    untyped_passes.FindLiterallyCalls,
    untyped_passes.InlineClosureLikes,
    untyped_passes.InlineInlinables,
    untyped_passes.LiteralPropagationSubPipelinePass,
    untyped_passes.LiteralUnroll,
    untyped_passes.MakeFunctionToJitFunction,
    untyped_passes.RewriteDynamicRaises,
    untyped_passes.WithLifting,
}
_OPTIONS = {
    "nopython": True,
    "boundscheck": None,
    "no_rewrites": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,  # references are not counted, which takes half of the time: nothing is allocated
}


class _Library(AOTCodeLibrary):
    """The code of a function, in LLVM's language, with that of all functions that it calls."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout  # noqa: SLF001

    def _optimize_final_module(self) -> None:
        pass

    def get_pointer_to_function(self, name: str) -> int:  # noqa: ARG002
        """Link the code. Nothing is executed, so there is no address."""
        self._ensure_finalized()
        return 0

    def machine_code(self, kernel: str) -> bytes:
        """Return an object file of which only the function `kernel` can be called."""
        for function in self.get_defined_functions():
            if function.name != kernel:
                function.linkage = "internal"
        super()._optimize_functions(self._final_module)
        super()._optimize_final_module()
        return bytes(self._codegen._tm.emit_object(self._final_module))  # noqa: SLF001


class _Codegen(JITCPUCodegen):
    """Numba's code generator for the processor of this machine; nothing of its code is executed."""

    _library_class = _Library

    def _add_module(self, module: Any) -> None:
        pass

    def set_env(self, env_name: str, env: Any) -> None:
        pass


class _Target(CPUTarget):
    """numba's own target, whose functions kernels may call, too, with another end."""

    @property
    def typing_context(self) -> Any:
        return cpu_target.typing_context

    @cached_property
    def target_context(self) -> Any:
        return cpu_target.target_context.subtarget(_internal_codegen=_Codegen("kernels"))


class _Passes(CompilerBase):
    def define_pipelines(self) -> list[Any]:
        passes = PassManager("kernel")
        for one, description in DefaultPassBuilder.define_nopython_pipeline(self.state).passes:
            if one not in _NEEDLESS:
                passes.add_pass(one, description)
        passes.finalize()
        return [passes]


class _Dispatcher(CPUDispatcher):
    targetdescr = _Target("cpu")


def function(source: Callable[..., Any], **options: Any) -> Any:
    """Return a function that kernels can call. `options` are those of `numba.njit`."""
    return _Dispatcher(source, targetoptions=_OPTIONS | options, pipeline_class=_Passes)


def compile_kernel(source: Callable[..., Any], signature: str, **options: Any) -> tuple[bytes, str]:
    """Compile a function for one signature. Returns an object file and the name of its symbol."""
    kernel = function(source, **options)
    with typeinfer.register_dispatcher(kernel):
        kernel.compile(signature)
    (made,) = kernel.overloads.values()
    symbol = made.fndesc.llvm_func_name
    return made.library.machine_code(symbol), symbol
