"""The page about the report and the README name searches that can be run."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from searches import search

from fastmlp.cli.arguments import parse
from fastmlp.cli.tune import parse_tune
from fastmlp.recipes import RECIPES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "report.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_have_options_that_exist(page):
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^(?:\$ )?(fastmlp tune .+)$", text, re.MULTILINE) + re.findall(
        r"`(fastmlp tune .+?)`", text
    )
    assert len(commands) >= 2
    for command in commands:
        parse_tune(shlex.split(command, comments=True)[2:], "fastmlp tune")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_spaces_can_be_searched(page):
    (space,) = re.findall(r"```toml\n(.+?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(search(space=tomllib.loads(space), trials=1, epochs=1).trials) == 1


def test_the_space_on_the_page_is_that_of_the_example():
    (shown,) = re.findall(r"```toml\n(.+?)```", PAGES[1].read_text(encoding="utf-8"), re.DOTALL)
    example = (ROOT / "examples" / "mnist-search.toml").read_text(encoding="utf-8")
    assert tomllib.loads(shown) == tomllib.loads(example)


def test_the_recipe_of_the_report_has_more_epochs_when_it_is_searched():
    options = parse_tune(["mnist", "--recipe", "report"], "fastmlp tune").options
    assert (options["epochs"], options["max_steps"], options["hidden"]) == (16, None, (50,))
    assert parse(["mnist", "--recipe", "report"]).options["max_steps"] == 100
    assert RECIPES["report"].goal == 0.1
