"""A verb as a process: exit codes, errors in one line, pipes that close, Ctrl-C.

NumPy and all else that takes time to import waits until the options are known.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from fastmlp.cli.arguments import PROGRAM, UsageError, parse
from fastmlp.cli.interrupt import CtrlC
from fastmlp.cli.progress import make_progress, print_error_line
from fastmlp.errors import DivergedError
from fastmlp.files import STANDARD_OUTPUT

if TYPE_CHECKING:
    from argparse import Namespace

    from fastmlp.cli.progress import Progress

OK, FAILURE, USAGE, DIVERGED, INTERRUPTED = 0, 1, 2, 3, 130


def train(argv: Sequence[str] | None = None) -> int:
    """Run fastmlp-train with ``argv``, by default the process's own arguments; return its exit code.

    Errors become one line on stderr. Raises SystemExit(0) after ``--help`` and ``--version``.
    """
    return train_as(PROGRAM, argv)


def train_as(program: str, argv: Sequence[str] | None) -> int:
    """Train as ``train`` does, under a program's name."""
    return run_command(program, lambda: parse(argv, program), _train)


def _train(arguments: Namespace, progress: Progress) -> int:
    from fastmlp.cli.run import run

    return INTERRUPTED if run(arguments, progress) else OK


Command = Callable[["Namespace", "Progress"], int]


def run_command(program: str, parse_arguments: Callable[[], Namespace], command: Command) -> int:
    """Run a verb: parse, do, and return the exit code, with errors in one line on stderr."""
    with CtrlC() as ctrl_c:
        try:
            return _run_command(program, parse_arguments, command, ctrl_c)
        except KeyboardInterrupt:  # while an error was dealt with
            return _fail(program, "interrupted", INTERRUPTED)


def _run_command(program: str, parse_arguments: Callable[[], Namespace], command: Command, ctrl_c: CtrlC) -> int:
    is_verbose = False
    try:
        try:
            arguments = parse_arguments()
            is_verbose = arguments.verbose
            code = _run(arguments, command)
            return INTERRUPTED if ctrl_c.was_pressed else code
        finally:
            ctrl_c.settle()
            _flush_stdout()
    except KeyboardInterrupt:
        return _fail(program, "interrupted", INTERRUPTED)
    except UsageError as error:
        return _fail(program, f"error: {error}", USAGE)
    except BrokenPipeError:
        _discard_stdout()
        return FAILURE
    except Exception as error:
        if is_verbose:
            traceback.print_exc()
        if ctrl_c.was_pressed:  # and got lost in compiled code, which then failed
            return _fail(program, "interrupted", INTERRUPTED)
        code = DIVERGED if isinstance(error, DivergedError) else FAILURE
        return _fail(program, f"error: {_in_one_line(error)}", code)


def _run(arguments: Namespace, command: Command) -> int:
    with (
        closing(make_progress(arguments.quiet)) as progress,
        _warnings_shown_by(progress),
        _log_shown_by(progress),
    ):
        return command(arguments, progress)


@contextmanager
def _warnings_shown_by(progress: Progress) -> Iterator[None]:
    """Show warnings as one line each, without the file and line of code that a user has no use for."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        progress.warn(" ".join(str(message).split()))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def _log_shown_by(progress: Progress) -> Iterator[None]:
    """Show what fastmlp logs, above all that it compiles, as lines of the progress."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            progress.message(record.getMessage())

    handler = Handler()
    logger = logging.getLogger("fastmlp")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _fail(program: str, text: str, code: int) -> int:
    """Say on stderr why the program ends; return the exit code."""
    print_error_line(f"{program}: {text}")
    return code


def _in_one_line(error: Exception) -> str:
    """The error's message; with its type where the message alone would say little, as for a KeyError."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    message = " ".join(str(error).split())
    if isinstance(error, ValueError | OSError | ArithmeticError | ImportError | MemoryError) and message:
        return message
    return f"{type(error).__name__}: {message} (--verbose shows where)"


def _flush_stdout() -> None:
    """Let go of what is written; here errors can be dealt with, at exit Python would complain about them itself."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_stdout()
        raise OSError(error.errno, error.strerror, STANDARD_OUTPUT) from error


def _discard_stdout() -> None:
    """Let what is still in stdout's buffer go nowhere, or Python would try it again at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
