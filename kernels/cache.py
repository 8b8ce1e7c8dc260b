"""Compiled kernels on disk: one file each, in the user's cache folder.

A file's name is a hash of everything that the machine code depends on: the content of every file in ``kernels/``, the
versions of Numba, LLVM and NumPy, the processor and its features, the function and its argument types. A stale kernel
therefore cannot be found, and processes that compile the same kernel at once write the same file, each whole under a
temporary name first. Numba's own cache keys by the one source file that a function stands in, and numbers its files in
an index that processes overwrite for one another.
"""

import hashlib
import logging
import os
import pickle
import sys
import tempfile
from functools import cache
from pathlib import Path

import llvmlite
import numba
import numpy as np
import platformdirs
from numba.core.caching import CompileResultCacheImpl, _Cache
from numba.core.runtime import rtsys

logger = logging.getLogger("fastmlp")


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
