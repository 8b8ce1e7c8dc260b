"""The recipes: how long each takes to reach its goal, over several seeds."""

from statistics import median

from suite.data import mnist_folder

from .given import Given
from .process import Newborn, Resident
from .race import race
from .report import Section, table

SEEDS = 5


def run(given: Given) -> Section:
    section = Section("Recipes")
    if mnist_folder() is None:
        section.parts.append("Left out: MNIST was not found.")
        return section
    try:
        from fastmlp.recipes import RECIPES
    except ImportError as error:
        section.wrong.append(f"recipes failed: {error}")
        section.parts.append(f"**failed: {error}**")
        return section
    seeds = 1 if given.quick else SEEDS
    names = [name for name in RECIPES if name.startswith("mnist")]
    lines = [_row(section, name, RECIPES[name], seeds, given) for name in names]
    head = ["recipe", "what it is", "fit", "test accuracy", "the least of them", "goal"]
    section.parts.append(table(head, lines, left=2))
    section.parts.append(
        f"Medians of {seeds} seeds, each in a fresh process with MNIST in memory and kernels compiled, timed from "
        "making the Trainer to the end of its fit."
    )
    return section


def _row(section: Section, name: str, recipe, seeds: int, given: Given) -> list[str]:
    def start(turn: int) -> Resident:
        return Resident(name, fit, given.threads, recipe=name, seed=(turn - 1) % seeds + 1)

    system = Newborn(name, start)
    outcome = race(f"recipes: {name}", [system], given, rounds=seeds)
    if not outcome.took_part(name):
        return [name + section.note(outcome), recipe.about, "", "", "", f"{recipe.goal:.2%}"]
    # of the first turn of each seed, whether or not its time counts: rounds that are redone must not choose seeds
    scores = [answer["accuracy"] for answer in system.answers[1:][:seeds]]
    missed = "" if median(scores) >= recipe.goal else f"reached {median(scores):.2%}, not {recipe.goal:.2%}"
    return [
        name + section.note(outcome, name, missed),
        recipe.about,
        f"{outcome.median(name):.2f} s",
        f"{median(scores):.2%}",
        f"{min(scores):.2%}",
        f"{recipe.goal:.2%}",
    ]


def fit(turns, threads: int, recipe: str, seed: int) -> dict:
    """Follow a recipe on MNIST; return the accuracy on its test rows."""
    from fastmlp import Trainer
    from fastmlp.data import load
    from fastmlp.recipes import RECIPES

    data = load(mnist_folder())
    options = {"input_scale": data.input_scale} | RECIPES[recipe].options | {"seed": seed, "threads": threads}
    while turns():
        trainer = Trainer(**options)
        trainer.fit(data.X_train, data.y_train)
    return {"accuracy": trainer.score(data.X_test, data.y_test)}
