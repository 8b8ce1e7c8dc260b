"""A disk that is full: one line that names the file, and nothing half-written."""

import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from cli_process import COMMAND, TIMEOUT, needs_posix

import fastmlp
from fastmlp.cli.verbs import main
from fastmlp.model_file import FILE_NAME

KILOBYTES = 256
FULL = "No space left on device"


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A file system of 256 kB in memory; only root may mount one."""
    folder = tmp_path_factory.mktemp("small disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={KILOBYTES}k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    except FileNotFoundError:
        pytest.skip("needs mount")
    if mounted.returncode:
        pytest.skip(f"needs to mount a small file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=TIMEOUT)


@pytest.fixture
def disk(small_disk):
    """The file system, empty."""
    yield small_disk
    for path in sorted(small_disk.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model, and rows whose predictions fill more than the disk."""
    folder = tmp_path_factory.mktemp("files")
    X = np.random.default_rng(0).standard_normal((20_000, 3))
    np.save(folder / "rows.npy", X)
    fastmlp.save(fastmlp.train((X, np.arange(len(X)) % 5), hidden=(64,), epochs=1).model, folder / "model")
    return folder


def files_in(disk):
    return sorted(path.name for path in disk.rglob("*") if path.is_file())


def assert_one_line(err, path, verb):
    assert err.startswith(f"fastmlp {verb}: error: ")
    assert str(path) in err
    assert FULL in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("out", ["out.csv", "out.jsonl", "out.npy", "out.parquet"])
def test_predictions(out, disk, files, capsys):
    if out.endswith("parquet"):
        pytest.importorskip("polars", reason='needs polars: pip install "fastmlp[tables]"')
    assert main(["predict", str(files / "model"), str(files / "rows.npy"), "-o", str(disk / out)]) == 1
    assert_one_line(capsys.readouterr().err, disk / out, "predict")
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_exports(kind, disk, files, capsys):
    if kind == "onnx":
        pytest.importorskip("onnx", reason='needs onnx: pip install "fastmlp[onnx]"')
    (disk / "ballast").write_bytes(bytes(KILOBYTES * 1024))
    assert main(["export", str(files / "model"), f"--{kind}", str(disk / "out")]) == 1
    assert_one_line(capsys.readouterr().err, disk / "out", "export")
    assert files_in(disk) == ["ballast"]


def test_a_run_that_has_no_room_leaves_nothing(disk, capsys):
    arguments = ["train", "digits", "--epochs", "2", "-q", "--out", str(disk / "run")]
    assert main([*arguments, "--hidden", "2000"]) == 1
    assert_one_line(capsys.readouterr().err, disk / "run", "train")
    assert list(disk.iterdir()) == []


def test_a_run_whose_report_has_no_room_keeps_its_models(disk, capsys, monkeypatch):
    monkeypatch.setattr("fastmlp.run.SECONDS_BETWEEN_CHECKPOINTS", 1e9)
    (disk / "ballast").write_bytes(bytes(90 * 1024))
    arguments = ["train", "digits", "--epochs", "2", "-q", "--out", str(disk / "run")]
    assert main([*arguments, "--hidden", "150"]) == 1  # 45 kB the best, 90 kB the last
    assert_one_line(capsys.readouterr().err, disk / "run", "train")
    assert files_in(disk) == ["ballast", "config.toml", "history.csv", FILE_NAME, FILE_NAME]
    for part in ("best", "last"):
        fastmlp.load(disk / "run" / part)


def test_rows_that_stay_on_the_disk(disk, files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    data, options = str(files / "rows.npy"), ["--task", "regress", "--stream", "-q", "--out", str(tmp_path / "run")]
    assert main(["train", data, *options]) == 1
    assert_one_line(capsys.readouterr().err, disk, "train")
    assert list(disk.iterdir()) == list(tmp_path.iterdir()) == []


def test_pictures_and_logs(disk, capsys, tmp_path):
    pytest.importorskip("matplotlib", reason='needs matplotlib: pip install "fastmlp[plot]"')
    (disk / "ballast").write_bytes(bytes(KILOBYTES * 1024))
    assert main(["train", "digits", "--epochs", "1", "-q", "--plot", str(disk / "curves.png")]) == 1
    assert_one_line(capsys.readouterr().err, disk / "curves.png", "train")
    assert files_in(disk) == ["ballast"]


@needs_posix
@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_standard_output(unbuffered):
    with open("/dev/full", "w") as full:
        command = [*COMMAND, "digits", "--epochs", "1", "-q"]
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, env=environment
        )
    assert result.returncode == 1
    assert result.stderr == f"fastmlp-train: error: standard output: {FULL}\n"
