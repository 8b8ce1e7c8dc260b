"""What the README shows of a new user's first three commands is what they print."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from idx_files import SHARED_DATA, needs_penguins

from fastmlp.cli.verbs import main

README = Path(__file__).parent.parent / "README.md"


def shown():
    """Return the commands of the README's session, each with the lines that follow it."""
    (session,) = re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    first, *turns = re.split(r"^\$ ", session, flags=re.MULTILINE)
    assert first == ""
    return [(turn.partition("\n")[0], turn.partition("\n")[2]) for turn in turns]


def shape(line):
    """Return a line without its figures: speeds differ, and the last digits on other processors."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.,]*(e-\d+)?[kM]?|·", "N", line)).strip()


def lines_of(command, capsys):
    program, *arguments = shlex.split(command)
    if program == "head":
        count, file = arguments
        return Path(file).read_text(encoding="utf-8").splitlines()[: -int(count)]
    assert program == "fastmlp"
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    return err.splitlines() + out.splitlines()


def expect(printed, expected):
    """Check the shapes of lines, ``...`` standing for any number of them."""
    start, _, end = expected.partition("...\n")
    first, last = start.splitlines(), end.splitlines()
    assert [shape(line) for line in printed[: len(first)]] == [shape(line) for line in first]
    if "...\n" not in expected:
        assert len(printed) == len(first)
    else:
        assert [shape(line) for line in printed[-len(last) :]] == [shape(line) for line in last]


@needs_penguins
def test_three_commands_from_penguins_to_predictions(tmp_path, monkeypatch, capsys):
    pytest.importorskip("polars", reason='tables need polars: pip install "fastmlp[tables]"')
    shutil.copy(SHARED_DATA / "penguins.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    turns = shown()
    assert [command.split()[1] for command, _ in turns if command.startswith("fastmlp")] == [
        "train",
        "evaluate",
        "predict",
    ]
    for command, expected in turns:
        printed = [line for line in lines_of(command, capsys) if not line.startswith("compiling kernels")]
        expect(printed, expected)
    accuracy = re.search(r"test accuracy +([\d.]+)", turns[0][1])
    assert accuracy is not None
    assert float(accuracy[1]) > 0.95
