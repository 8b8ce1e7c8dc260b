"""The page and the files that a search leaves."""

import csv
import xml.etree.ElementTree as ElementTree

import pytest

import fastmlp

pytest.importorskip("optuna", reason='searches need Optuna: pip install "fastmlp[tune]"')


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "out"
    space = {
        "learning_rate": {"low": 1e-3, "high": 0.1, "log": True},
        "hidden": {"choices": ["8", "8,4"]},
        "batch_size": {"low": 16, "high": 64},
    }
    return folder, fastmlp.tune("digits", trials=6, epochs=3, space=space, out=folder)


def test_the_page_tells_of_every_trial(searched):
    folder, found = searched
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    headings = [heading.text for heading in page.iter("h2")]
    assert headings == ["Trials", "What mattered", "Where the good trials lie", "Curves", "The best trials", "Command"]
    assert f"{found.best_value:.2%}" in text
    assert len(list(page.iter("polyline"))) == 6
    rows = [row for table in page.iter("table") if table.get("class") == "plain" for row in table.iter("tr")]
    assert len(rows) == 7
    assert "http" not in text.replace("http-equiv", "")


def test_the_files_hold_the_trials_and_the_best_model(searched):
    folder, found = searched
    with (folder / "trials.csv").open(newline="", encoding="utf-8") as file:
        trials = list(csv.DictReader(file))
    assert [float(trial["value"]) for trial in trials] == [trial.value for trial in found.trials]
    assert set(trials[0]) >= {"learning_rate", "hidden", "batch_size", "state", "epochs"}
    best = fastmlp.load(folder)
    for name, array in found.model.parameters.items():
        assert (best.parameters[name] == array).all()
    options = fastmlp.config.from_toml((folder / "config.toml").read_text(encoding="utf-8"), "config.toml")
    assert options["learning_rate"] == found.best_params["learning_rate"]


def test_an_earlier_search_is_not_overwritten_silently(searched):
    folder, _ = searched
    before = (folder / "trials.csv").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite it"):
        fastmlp.tune("digits", trials=1, epochs=1, out=folder)
    assert (folder / "trials.csv").read_bytes() == before
