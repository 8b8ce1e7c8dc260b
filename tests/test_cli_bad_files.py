"""Files that are wrong, each given to the command: one clear line, exit code 1 or 2, and nothing half-written."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from cli_process import TIMEOUT, needs_posix
from safetensors_files import put_together, taken_apart

import fastmlp
from fastmlp import predictions
from fastmlp.cli.verbs import main

polars = pytest.importorskip("polars", reason='tables need polars: pip install "fastmlp[tables]"')
LINES = ["length,island,species", *(f"{i % 7}.5,{'uvw'[i % 3]},{'ab'[i % 7 > 3]}" for i in range(60))]


def text(lines):
    return ("\n".join(lines) + "\n").encode()


def replaced(row, line):
    return text([*LINES[:row], line, *LINES[row + 1 :]])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a run, in a folder whose name has spaces and letters of other languages."""
    folder = tmp_path_factory.mktemp("dossier à données") / "mon modèle"
    (folder.parent / "rows.csv").write_bytes(text(LINES))
    arguments = ["train", str(folder.parent / "rows.csv"), "--out", str(folder), "--epochs", "3", "--hidden", "4", "-q"]
    assert main(arguments) == 0
    return folder


def everything_in(folder):
    """Return all files with what they hold."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fails(capsys, folder, *arguments):
    """Run a command that must fail; return its one line."""
    before = everything_in(folder)
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code in (1, 2), err
    assert out == ""
    assert everything_in(folder) == before
    last = err.splitlines()[-1]
    assert err.count("error: ") == 1
    assert last.startswith(f"fastmlp {arguments[0]}: error: ")
    return last


def bomb():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("X.npy", "w") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(1 << 20))
    return packed.getvalue()


TRAINING = {
    "an empty file": ("rows.csv", b"", "rows.csv is empty"),
    "a header only": ("rows.csv", text(LINES[:1]), "rows.csv has no rows, only a header"),
    "ragged rows": ("rows.csv", replaced(40, "1.5,u"), "rows.csv, line 41: 2 fields where the header has 3"),
    "one class": ("rows.csv", text(LINES[:4]), "the target holds only one class, 'a'"),
    "duplicate columns": ("rows.csv", replaced(0, "length,length,species"), "several columns named 'length'"),
    "NaN targets": ("rows.csv", replaced(9, "1.5,u,NaN"), "the target 'species' is missing in 1 of 60 rows, first in"),
    "a ZIP bomb": ("rows.npz", bomb(), "rows.npz unpacks to 80,000.0 GB, more than the"),
    "spaces and letters": ("der ñame, 数据.csv", b"", "der ñame, 数据.csv is empty"),
}


@pytest.mark.parametrize(("name", "content", "message"), TRAINING.values(), ids=TRAINING.keys())
def test_training(name, content, message, tmp_path, capsys):
    (tmp_path / name).write_bytes(content)
    assert message in fails(capsys, tmp_path, "train", tmp_path / name, "--out", tmp_path / "run", "-q")


def test_a_class_that_only_the_test_rows_have(tmp_path, capsys):
    (tmp_path / "rows.csv").write_bytes(text(LINES))
    (tmp_path / "test.csv").write_bytes(replaced(5, "1.5,u,neu"))
    for option in ("--test", "--validation"):
        arguments = ["train", tmp_path / "rows.csv", option, tmp_path / "test.csv", "--out", tmp_path / "run", "-q"]
        assert "rows hold classes that training has not seen: 'neu'" in fails(capsys, tmp_path, *arguments)


PREDICTING = {
    "an empty file": (b"", "rows.csv is empty"),
    "a header only": (text(LINES[:1]), "rows.csv has no rows, only a header"),
    "ragged rows": (replaced(40, "1.5,u"), "rows.csv, line 41: 2 fields where the header has 3"),
    "text among numbers": (replaced(40, "long,u,a"), "'length' must hold finite numbers, got 'long' in row 40"),
    "duplicate columns": (replaced(0, "length,length,species"), "several columns named 'length'"),
    "missing columns": (replaced(0, "size,island,species"), "the model was trained on are missing: 'length'"),
}


@pytest.mark.parametrize(("content", "message"), PREDICTING.values(), ids=PREDICTING.keys())
@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_predicting_and_evaluating(verb, content, message, model, tmp_path, capsys):
    (tmp_path / "rows.csv").write_bytes(content)
    out = ["-o", tmp_path / "out.csv"] if verb == "predict" else []
    assert message in fails(capsys, tmp_path, verb, model, tmp_path / "rows.csv", *out)


def test_a_class_never_seen(model, tmp_path, capsys):
    (tmp_path / "rows.csv").write_bytes(replaced(5, "1.5,u,neu"))
    said = fails(capsys, tmp_path, "evaluate", model, tmp_path / "rows.csv")
    assert "rows.csv: labels that training has not seen: neu" in said


@pytest.mark.parametrize("verb", ["train", "predict", "evaluate"])
def test_a_file_that_is_missing_or_no_file(verb, model, tmp_path, capsys):
    (tmp_path / "folder.csv").mkdir()
    models = [] if verb == "train" else [model]
    assert "no such file" in fails(capsys, tmp_path, verb, *models, tmp_path / "rows.csv")
    assert "lacks train-images" in fails(capsys, tmp_path, verb, *models, tmp_path)
    if sys.platform == "linux":
        said = fails(capsys, tmp_path, verb, *models, "/proc/self/mem")
        assert "/proc/self/mem cannot be read: Input/output error" in said


def newer(file):
    header, rest = taken_apart(file)
    facts = json.loads(header["__metadata__"]["fastmlp"])
    header["__metadata__"]["fastmlp"] = json.dumps(facts | {"format": 99, "version": "99.0"})
    put_together(file, header, rest)


def corrupted(file):
    content = bytearray(file.read_bytes())
    content[12:20] = b"\xff" * 8
    file.write_bytes(content)


def halved(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


MODELS = {
    "a newer version": (newer, "was written by fastmlp 99.0 in format 99; this is fastmlp .*: upgrade fastmlp"),
    "a corrupted header": (corrupted, "is not a whole model file: .*header"),
    "half a file": (halved, "is not a whole model file"),
}


@pytest.mark.parametrize(("wreck", "message"), MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("verb", ["predict", "evaluate", "info", "export"])
def test_models(verb, wreck, message, model, tmp_path, capsys):
    file = tmp_path / "mein Modell.safetensors"
    file.write_bytes((model / "best/model.safetensors").read_bytes())
    wreck(file)
    rest = {"predict": [model.parent / "rows.csv"], "evaluate": [model.parent / "rows.csv"], "info": []}
    arguments = rest.get(verb, ["--torch", tmp_path / "out"])
    assert re.search(message, fails(capsys, tmp_path, verb, file, *arguments))


def test_spaces_and_letters_of_every_kind_in_all_paths(model, tmp_path, capsys):
    out = tmp_path / "prédictions – 予測.csv"
    assert main(["predict", str(model), str(model.parent / "rows.csv"), "-o", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 61
    assert main(["export", str(model), "--torch", str(tmp_path / "gewichte – 重み.safetensors")]) == 0
    assert main(["info", str(model)]) == 0
    assert main(["evaluate", str(model), str(model.parent / "rows.csv")]) == 0
    assert main(["train", "--resume", str(model), "-q"]) == 0


# Ctrl-C


@pytest.mark.parametrize("out", ["out.csv", "out.npy", "out.jsonl", "out.parquet"])
def test_ctrl_c_while_predictions_are_written_leaves_nothing(out, model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(predictions, "BATCH_ROWS", 16)
    answers, answer = [], predictions._answer

    def interrupted(found, X):
        answers.append(1)
        if len(answers) == 3:
            raise KeyboardInterrupt
        return answer(found, X)

    monkeypatch.setattr(predictions, "_answer", interrupted)
    rows = polars.read_csv(model.parent / "rows.csv")
    rows.write_parquet(tmp_path / "rows.parquet")
    assert main(["predict", str(model), str(tmp_path / "rows.parquet"), "-o", str(tmp_path / out)]) == 130
    assert capsys.readouterr().err == "fastmlp predict: interrupted\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "rows.parquet"]


# the marker is printed as fastmlp reads its arguments: an interrupt before that would be Python's, or this program's
MARKED = """
import argparse, sys
from fastmlp.cli.verbs import main
parse = argparse.ArgumentParser.parse_known_args
def parse_and_tell(*given, **options):
    print("started", file=sys.stderr, flush=True)
    return parse(*given, **options)
argparse.ArgumentParser.parse_known_args = parse_and_tell
sys.exit(main(sys.argv[1:]))
"""


INTERRUPTED_AS_POLARS_LOOKS_FOR_NUMPY = """
import os, signal, sys
import numpy.lib
from fastmlp.cli.verbs import main
begin = numpy.lib.NumpyVersion.__init__
def begin_and_press(self, version):
    print("looks", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGINT)
    begin(self, version)
numpy.lib.NumpyVersion.__init__ = begin_and_press
sys.exit(main(sys.argv[1:]))
"""


@needs_posix
def test_ctrl_c_while_polars_looks_for_numpy(model):
    command = [sys.executable, "-c", INTERRUPTED_AS_POLARS_LOOKS_FOR_NUMPY, "train", str(model.parent / "rows.csv")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines() == ["looks", "fastmlp train: interrupted"]


@needs_posix
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3, 0.6, 1.0, 1.5])
def test_ctrl_c_at_any_time(seconds, model, tmp_path):
    """Whenever it comes, while libraries load, rows are read, epochs run or files are written: no traceback."""
    arguments = ["train", str(model.parent / "rows.csv"), "--epochs", "10000000", "--hidden", "64"]
    command = [sys.executable, "-c", MARKED, *arguments, "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "started\n"
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    left = everything_in(tmp_path)
    assert not [name for name in left if ".fastmlp-" in name]
    if "test accuracy" in out:  # there was an epoch at least: what it has learned is kept
        assert fastmlp.load(tmp_path / "run").task == "classify"
    else:
        assert err.splitlines()[-1] == "fastmlp train: interrupted"
