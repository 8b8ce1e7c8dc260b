"""fastmlp-train among pipes, signals and terminals."""

import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import time
from importlib import import_module

import pytest
from cli_process import COMMAND, TIMEOUT, needs_posix
from idx_files import write_folder

from fastmlp.cli.main import train
from fastmlp.data.idx import TRAIN_IMAGES


@needs_posix
@pytest.mark.parametrize("options", [["--help"], ["--quiet", "--epochs", "1"], ["--epochs", "1", "--json"]])
def test_a_reader_of_stdout_that_has_gone_gets_no_traceback(options):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run(
            [*COMMAND, *options], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT
        )
    finally:
        os.close(writing)
    # argparse itself overlooks that --help could not be written, where Python runs unbuffered.
    assert result.returncode in ((0, 1) if options == ["--help"] else (1,))
    assert "Traceback" not in result.stderr
    assert "Error" not in result.stderr


@needs_posix
def test_a_stderr_that_has_gone_does_not_end_the_training():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run(
            [*COMMAND, "--json"], stdout=subprocess.PIPE, stderr=writing, text=True, timeout=TIMEOUT
        )
    finally:
        os.close(writing)
    assert result.returncode == 0
    assert json.loads(result.stdout)["epochs"] == 10


@needs_posix
def test_without_a_stderr_progress_does_not_land_on_stdout():
    closed = ["sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND, "--json"]
    result = subprocess.run(closed, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert result.returncode == 0
    assert json.loads(result.stdout)["epochs"] == 10


# Ctrl-C


@pytest.fixture
def ctrl_c_is_heeded():
    """A runner in the background may ignore SIGINT, and programs it starts would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@needs_posix
@pytest.mark.usefixtures("ctrl_c_is_heeded")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_ctrl_c_ends_the_training_with_what_it_has_and_code_130(options):
    command = [*COMMAND, "--epochs", "1000000", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stderr if line.startswith("epoch 2/"))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, err
    assert "warning: Training interrupted by user." in err
    assert "Traceback" not in err
    if options:
        report = json.loads(out)
        assert report["interrupted"] is True
        assert report["epochs"] >= 2
    else:
        assert "test accuracy" in out


def open_once_read(pipe, process):
    """Open a named pipe for writing when the process reads it: then it waits for bytes that never come."""
    while process.poll() is None:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads it yet
            time.sleep(0.01)
    raise AssertionError(process.stderr.read())


@needs_posix
@pytest.mark.usefixtures("ctrl_c_is_heeded")
def test_ctrl_c_while_data_load_is_code_130_and_one_line(tmp_path):
    write_folder(tmp_path)
    pipe = tmp_path / TRAIN_IMAGES
    os.mkfifo(pipe)
    command = [*COMMAND, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        writing = open_once_read(pipe, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
        os.close(writing)
    assert process.returncode == 130
    assert (out, err) == ("", "fastmlp-train: interrupted\n")


@pytest.mark.usefixtures("ctrl_c_is_heeded")
def test_an_interrupt_that_compiled_code_swallows_still_counts(monkeypatch, capsys):
    def run(arguments, progress):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise RuntimeError("half a kernel")

    monkeypatch.setattr("fastmlp.cli.run.run", run)
    assert train([]) == 130
    assert capsys.readouterr() == ("", "fastmlp-train: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@needs_posix
@pytest.mark.usefixtures("ctrl_c_is_heeded")
@pytest.mark.parametrize("swallows", ["an import", "a callback"])
def test_an_interrupt_is_raised_again_until_it_is_heard(swallows, monkeypatch, capsys, tmp_path):
    """As where a library is imported by ``try: ... except: ...``, or compiled code calls back."""
    (tmp_path / "swallowing.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\ndone = True\n")
    monkeypatch.syspath_prepend(tmp_path)

    class Callback:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def run(arguments, progress):
        if swallows == "an import":
            assert import_module("swallowing").done
        else:
            Callback()
        while True:
            time.sleep(0.01)

    monkeypatch.setattr("fastmlp.cli.run.run", run)
    assert train([]) == 130
    assert capsys.readouterr() == ("", "fastmlp-train: interrupted\n")
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_program_that_handles_sigint_itself_keeps_its_handler(capsys):
    def handler(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGINT, handler)
    try:
        assert train(["no such folder"]) == 1
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


# Terminals


def run_on_terminal(*arguments, columns=80, command=COMMAND, **environment):
    """Run with stdout and stderr on one pseudo-terminal; return the exit code and what it was sent."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    with subprocess.Popen(
        [*command, *arguments],
        stdout=theirs,
        stderr=theirs,
        env={**plain, "TERM": "xterm-256color", **environment},
    ) as process:
        os.close(theirs)
        pieces = []
        try:
            while piece := os.read(ours, 1 << 16):
                pieces.append(piece)
        except OSError:  # how Linux says that the other side has closed
            pass
        os.close(ours)
        return process.wait(TIMEOUT), b"".join(pieces).decode()


def visible_lines(sent):
    """What a terminal shows at the end, if each drawing of a line replaces the one before."""
    without_colours = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent.replace("\r\n", "\n"))
    return [line.rpartition("\r")[2] for line in without_colours.split("\n")]


@needs_posix
@pytest.mark.parametrize("columns", [80, 30])
def test_a_terminal_shows_one_live_line_and_a_table(columns):
    code, sent = run_on_terminal("--epochs", "12", columns=columns)
    assert code == 0
    assert "\r\x1b[2K" in sent  # the line is drawn over itself
    lines = visible_lines(sent)
    live = [line for line in lines if line.startswith("epoch ")]
    assert len(live) == 1
    assert len(live[0]) <= columns
    if columns == 80:
        pattern = r"epoch 12/12 100%  [\d.]+[kM] rows/s  loss [\d.]+  val acc [\d.]+  lr [\d.]+  ETA 0s"
        assert re.fullmatch(pattern, live[0])
    assert any(re.search(r"│ test accuracy +│ +0\.\d{4} │", line) for line in lines)
    assert sent.endswith("\n")
    assert sent.count("\x1b[?25l") == sent.count("\x1b[?25h")  # the cursor is given back


COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")


@needs_posix
def test_colours_are_left_out_on_request():
    assert COLOUR.search(run_on_terminal("--epochs", "1")[1])
    assert not COLOUR.search(run_on_terminal("--epochs", "1", NO_COLOR="1")[1])


@needs_posix
def test_a_dumb_terminal_gets_plain_lines():
    code, sent = run_on_terminal("--epochs", "2", TERM="dumb")
    assert code == 0
    assert "\x1b" not in sent
    assert "epoch 2/2 (100%): loss" in sent
