"""Searches: what they cost over the trainings themselves, and beside other systems' searches; small trials; pruning."""

from suite.data import mnist_folder

from .given import Given
from .process import Resident
from .race import Outcome, race
from .report import Section, several, table
from .searching import EPOCHS, JOBS, TRIALS, search_fastmlp, search_sklearn, search_torch, train_alone
from .systems import SYSTEMS

SEARCHES = {"fastmlp": search_fastmlp, "sklearn": search_sklearn, "torch": search_torch}
GOALS = {"alone": "0.95x", "sklearn": "5x", "torch": "4x"}
SMALL_TRIALS, PRUNED_TRIALS = 1000, 50
QUICK_TRIALS = 3


def run(given: Given) -> Section:
    section = Section("Tuning")
    if mnist_folder() is None:
        section.parts.append("Left out: MNIST was not found.")
        return section
    trials = QUICK_TRIALS if given.quick else TRIALS
    systems = given.systems("sklearn", "torch")
    residents = [Resident(name, SEARCHES[name], JOBS, trials=trials) for name in systems]
    outcome = race(
        "tuning",
        [*residents, Resident("alone", train_alone, JOBS, trials=trials)],
        given,
        threads=JOBS,
        rounds=min(3, given.rounds),
    )
    section.parts.append(
        table(["search", "seconds", "fastmlp's gain", "goal", "best"], _rows(section, outcome, systems))
    )
    section.parts.append(
        f"{trials} trials of {EPOCHS} epochs, 784-128-10, batch 128, 50,000 rows of MNIST, validated on 10,000 after "
        f"each epoch, {JOBS} at a time; {several(min(3, given.rounds))}. scikit-learn's is RandomizedSearchCV with "
        f"n_jobs={JOBS} and one fold, PyTorch's {JOBS} processes of a thread each."
    )
    small = race(
        "tuning: small", [Resident("fastmlp", small_trials, 1, trials=SMALL_TRIALS)], given, threads=1, rounds=1
    )
    pruned = Resident("fastmlp", prune, JOBS, trials=PRUNED_TRIALS)
    saved = race("tuning: pruning", [pruned], given, threads=JOBS, rounds=1, warm_up=False)
    section.parts.append(_sentence(section, outcome, small, saved))
    return section


def _rows(section: Section, outcome: Outcome, systems: list[str]) -> list[list[str]]:
    rows = []
    for name in [*systems, "alone"]:
        title = "the trainings alone" if name == "alone" else SYSTEMS[name].heading if name != "fastmlp" else "fastmlp"
        both = outcome.took_part(name, "fastmlp")
        rows.append(
            [
                title + (section.note(outcome) if name == "fastmlp" else ""),
                f"{outcome.median(name):.2f} s" if outcome.took_part(name) else "",
                f"{outcome.ratio(name, 'fastmlp'):.2f}x" if both and name != "fastmlp" else "",
                GOALS.get(name, ""),
                f"{outcome.ends[name]['best']:.1%}" if name in outcome.ends else "",
            ]
        )
    return rows


def _sentence(section: Section, whole: Outcome, small: Outcome, saved: Outcome) -> str:
    texts = []
    if "fastmlp" in whole.ends:
        texts.append(
            f"Beside its trials fastmlp's search takes {whole.ends['fastmlp']['overhead']:.1%} of the time (2%)."
        )
    if small.took_part("fastmlp"):
        each = small.median("fastmlp") / SMALL_TRIALS
        texts.append(f"{SMALL_TRIALS:,} trials on digits, 16 units, 5 epochs, one core: {1e3 * each:.1f} ms each (20).")
    if "fastmlp" in saved.ends:
        end = saved.ends["fastmlp"]
        texts.append(
            f"{PRUNED_TRIALS} trials of 784-64-10 with pruning trained {end['share']:.0%} of the epochs (40%); their "
            f"best reached {end['pruned']:.2%}, that of the whole search {end['whole']:.2%}."
        )
    return " ".join(texts) + section.note(small) + section.note(saved)


def small_trials(turns, threads: int, trials: int) -> dict:
    """Search on digits; return nothing but the time."""
    import fastmlp

    while turns():
        fastmlp.tune("digits", trials=trials, jobs=1, hidden=(16,), epochs=5)
    return {}


def prune(turns, threads: int, trials: int) -> dict:
    """Search with pruning and without; return the share of epochs and the best of both."""
    import fastmlp
    from fastmlp.data import load

    data = load(mnist_folder())
    options = {"test_fraction": 0.0, "trials": trials, "jobs": JOBS, "hidden": (64,), "epochs": 27, "batch_size": 128}
    rows = data.X_train[:20_000], data.y_train[:20_000]
    validation = data.X_train[-10_000:], data.y_train[-10_000:]
    found = {}
    while turns():
        for way in (True, False):
            found[way] = fastmlp.tune(rows, validation=validation, prune=way, **options)
    epochs = {way: sum(len(trial.values) for trial in found[way].trials) for way in found}
    return {
        "share": epochs[True] / epochs[False],
        "pruned": found[True].best_value,
        "whole": found[False].best_value,
    }
