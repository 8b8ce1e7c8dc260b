"""The one way in which fastmlp compiles: decorators, the cache on disk, and choices made when a kernel is compiled.

Every compiled kernel is one file in the user's cache folder. Its name is a hash of everything that the machine code
depends on: the content of every file in ``kernels/``, the versions of Numba, LLVM and NumPy, the processor and its
features, the function and its argument types. A stale kernel therefore cannot be found, and processes that compile
the same kernel at once write the same file, each whole under a temporary name first. Numba's own cache keys by the one
source file that a function stands in, and numbers its files in an index that processes overwrite for one another.
"""

import gc
import hashlib
import logging
import os
import pickle
import sys
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import ClassVar

import llvmlite
import numba
import numpy as np
import platformdirs
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.caching import CompileResultCacheImpl, _Cache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, CompileResult, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.imputils import lower_constant
from numba.core.runtime import rtsys
from numba.core.typed_passes import NopythonTypeInference
from numba.extending import NativeValue, intrinsic, models, register_model, typeof_impl, unbox

logger = logging.getLogger("fastmlp")

_RARELY = 100_000, 20, 20


@cache
def cache_folder() -> Path | None:
    """Return the folder for compiled kernels, made if need be, or None where none can be written."""
    root = os.environ.get("NUMBA_CACHE_DIR")
    try:
        folder = Path(root) / "fastmlp" if root else Path(platformdirs.user_cache_dir("fastmlp", appauthor=False))
        folder = folder / "kernels"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):
        return None


@cache
def source_digest() -> str:
    """Return a hash of every Python file in this folder and of the versions that turn it into machine code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(repr((numba.__version__, llvmlite.__version__, np.__version__, sys.version_info)).encode())
    return digest.hexdigest()


@cache
def announce_compilation() -> None:
    """Say once that the next seconds go to compiling: nobody should wonder why a first fit waits."""
    kept = "once, then kept on disk" if cache_folder() else "in memory only: no cache folder can be written"
    logger.warning("compiling kernels for this CPU (%s), a few seconds", kept)


class KernelCache(_Cache):
    """One file for each compiled kernel, named by the hash of all that it depends on."""

    def __init__(self, function):
        self._name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"

    @property
    def cache_path(self):
        """The folder, as Numba shows it."""
        return str(cache_folder())

    def path(self, signature, codegen) -> Path | None:
        """Return the file for one compiled signature, or None where nothing can be cached."""
        folder = cache_folder()
        if folder is None:
            return None
        arguments = signature if isinstance(signature, tuple) else signature.args
        key = repr((source_digest(), codegen.magic_tuple(), self._name, tuple(map(str, arguments))))
        return folder / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"

    def load_overload(self, sig, target_context):
        """Return the compiled kernel from its file, or None.

        Numba would import all that it could compile with first (a quarter of a second, SciPy's linear algebra in it).
        What is compiled already needs nothing of that but the functions that count references.
        """
        rtsys.initialize(target_context)
        path = self.path(sig, target_context.codegen())
        try:
            reduced = pickle.loads(path.read_bytes()) if path else None
        except (OSError, EOFError, pickle.UnpicklingError):
            reduced = None
        if reduced is None:
            announce_compilation()
            return None
        return CompileResultCacheImpl.rebuild(None, target_context, reduced)

    def save_overload(self, sig, cres):
        """Write a compiled kernel to its file, where one can be written."""
        path = self.path(sig, cres.codegen)
        if path is None or cres.library.has_dynamic_globals:
            return
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                file.write(pickle.dumps(cres._reduce(), protocol=pickle.HIGHEST_PROTOCOL))
            os.replace(file.name, path)
        except OSError:  # a full or read-only disk: the kernel in memory serves this process
            return

    def enable(self):
        """Caching is always on."""

    def disable(self):
        """Caching is always on."""

    def flush(self):
        """Nothing is held in memory."""


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
    return dispatcher


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
    with _collecting_garbage_rarely():
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


NOTHING = Choice("nothing")


@typeof_impl.register(Choice)
def _typeof_choice(value, context):
    return ChoiceType(value)


@register_model(ChoiceType)
class _ChoiceModel(models.OpaqueModel):
    pass


@lower_constant(ChoiceType)
def _constant_choice(context, builder, numba_type, value):
    return context.get_constant_null(numba_type)


@unbox(ChoiceType)
def _unbox_choice(numba_type, value, context):
    return NativeValue(cgutils.get_null_value(context.context.get_value_type(numba_type)))
