"""The one way in which fastmlp compiles: decorators, calls by address, and choices made when a kernel is compiled.

Every compiled kernel is kept on disk (kernels.cache).
"""

import gc
from collections.abc import Sequence
from contextlib import contextmanager
from typing import ClassVar

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, CompileResult, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.imputils import lower_constant
from numba.core.typed_passes import NopythonTypeInference
from numba.extending import NativeValue, intrinsic, models, register_model, typeof_impl, unbox

from fastmlp.kernels.cache import KernelCache
from fastmlp.kernels.interrupt import Interrupt

_RARELY = 100_000, 20, 20


class _InlinedLibrary(JITCodeLibrary):
    """Code that only ever becomes part of other code: it is optimised, and made machine code, there and not here."""

    def get_pointer_to_function(self, name):
        """Return 0: there is no machine code."""
        self._ensure_finalized()
        return 0

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=False, analysis_only=False)
class _StopCountingReferences(FunctionPass):
    _name = "stop_counting_references"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        """Write no counting of references into the code that comes next."""
        state.targetctx.enable_nrt = False
        return True


class _Compiler(CompilerBase):
    """Numba's own pipeline, but for references to arrays, which are not counted.

    Whoever calls a kernel from Python holds all of its arrays; what a kernel makes are views of these. Counting took a
    tenth of the time to compile. Numba's option for it would refuse parts that return a view.
    """

    def define_pipelines(self):
        """Return the pipeline."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_StopCountingReferences, NopythonTypeInference)
        passes.finalize()
        return [passes]


@contextmanager
def _inlining(codegen):
    before = codegen._library_class
    codegen._library_class = _InlinedLibrary
    codegen.set_env = lambda name, environment: None  # it would look for a variable in the machine code
    try:
        yield
    finally:
        codegen._library_class = before
        if before is not _InlinedLibrary:
            del codegen.set_env


_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "pipeline_class": _Compiler}


def part(function):
    """Compile a function into every kernel that calls it, as if written there."""
    dispatcher = numba.njit(**_OPTIONS, forceinline=True, no_cpython_wrapper=True)(function)
    compile_core = dispatcher._compiler._compile_core

    def compile_to_inline(arguments, result):
        with _inlining(dispatcher.targetctx.codegen()):
            return compile_core(arguments, result)

    dispatcher._compiler._compile_core = compile_to_inline
    return dispatcher


def kernel(function):
    """Compile a function that runs without the GIL, never raises, and is kept on disk; others call its address."""
    return _kept(function, no_cpython_wrapper=True)


def entry(function):
    """Compile a kernel that is called from Python."""
    return _kept(function, no_cpython_wrapper=False)


def _kept(function, no_cpython_wrapper):
    dispatcher = numba.njit(**_OPTIONS, no_cpython_wrapper=no_cpython_wrapper)(function)
    dispatcher._cache = KernelCache(function)
    dispatcher.compile = _undisturbed(dispatcher.compile)
    return dispatcher


def _undisturbed(compile_kernel):
    """Let garbage and a Ctrl-C wait until a kernel is compiled.

    Between LLVM's taking a module in and llvmlite's noting it, an interrupt would let both take it apart.
    """

    def compile_to_the_end(signature):
        with Interrupt() as ctrl_c, _collecting_garbage_rarely():
            compiled = compile_kernel(signature)
        if ctrl_c.was_pressed:
            raise KeyboardInterrupt
        return compiled

    return compile_to_the_end


@contextmanager
def _collecting_garbage_rarely():
    """Compiling makes objects by the million and hardly any garbage: looking for it took a tenth of the time.

    A threshold of a million would gain 2% more and cost 60 MB; this costs 10 MB.
    """
    before = gc.get_threshold()
    gc.set_threshold(*(max(usual, rare) if usual else 0 for usual, rare in zip(before, _RARELY, strict=True)))
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _compiled(dispatcher, signature: tuple) -> CompileResult:
    """Return what a dispatcher has compiled for these Numba types, once it has."""
    dispatcher.compile(signature)
    return dispatcher.overloads[signature]


def address_of(dispatcher, arguments) -> int:
    """Compile a kernel for these Numba types, or load it, and return the address that ``call`` takes."""
    compiled = _compiled(dispatcher, tuple(arguments))
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def entry_of(dispatcher, arguments: Sequence):
    """Compile a kernel for the types of these arguments, or load it, and return what calls it from Python at once.

    Finding out the types at each call takes 3 us; arguments of other types must not be given.
    """
    return _compiled(dispatcher, tuple(map(numba.typeof, arguments))).entry_point


def could_be_kept(dispatcher, arguments: Sequence) -> bool:
    """Tell whether a kernel for the types of these arguments is not on disk, though there is a place for it."""
    path = dispatcher._cache.path(tuple(map(numba.typeof, arguments)), dispatcher.targetctx.codegen())
    return path is not None and not path.exists()


@intrinsic
def call(typing_context, address, *arguments):
    """``call(address, *arguments)``: run a kernel that returns nothing, known by its address only.

    Kernels that reach one another by address are compiled each on its own, once. Called by name, they would be linked
    and optimised again at every level above them (an epoch then takes 14 s to compile), and compiled again for each
    combination of activation, optimiser and width. The types must be those given to ``address_of``, except that
    ``NOTHING`` stands for any Shape or Choice: those are fixed in the machine code.
    """
    given = types.StarArgTuple.from_types(arguments)

    def generate(context, builder, signature, values):
        convention = context.call_conv
        function_type = convention.get_function_type(types.none, given.types)
        pointer = builder.inttoptr(values[0], function_type.as_pointer())
        convention.call_function(builder, pointer, types.none, given.types, cgutils.unpack_tuple(builder, values[1]))
        return context.get_dummy_value()

    return types.void(types.intp, given), generate


def call_llvm(builder, name: str, result, *arguments):
    """Write a call of one of LLVM's own functions into the code being built, and return its value."""
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), arguments)


def fix_when_compiled(kind: type, type_of_kind: type[types.Type]) -> None:
    """Let kernels take objects of a class that are fixed when a kernel is compiled: ``type_of_kind(object)`` says all.

    In the machine code there is nothing of them left.
    """
    typeof_impl.register(kind)(lambda value, context: type_of_kind(value))
    register_model(type_of_kind)(models.OpaqueModel)

    @lower_constant(type_of_kind)
    def _constant(context, builder, numba_type, value):
        return context.get_constant_null(numba_type)

    @unbox(type_of_kind)
    def _unbox(numba_type, value, context):
        return NativeValue(cgutils.get_null_value(context.context.get_value_type(numba_type)))


class ChoiceType(types.Type):
    """The Numba type of a Choice: what was chosen is the type, so a kernel is compiled for each."""

    def __init__(self, choice):
        self.choice = choice
        super().__init__(name=f"Choice({choice.name})")


class Choice:
    """An option that is fixed when a kernel is compiled, as an activation or an optimiser is.

    Kernels take it as an argument and hand it on; a function overloaded on it does the chosen thing at no cost. Of each
    name there is only one, after copying and pickling too.
    """

    _known: ClassVar[dict[str, "Choice"]] = {}

    def __new__(cls, name: str):
        """Return the choice of that name."""
        choice = cls._known.setdefault(name, super().__new__(cls))
        choice.name = name
        return choice

    def __reduce__(self):
        return Choice, (self.name,)

    def __repr__(self):
        return self.name


fix_when_compiled(Choice, ChoiceType)

NOTHING = Choice("nothing")
