"""What an optimiser's rule adds to an epoch of plain SGD, fastmlp with itself in one process."""

from suite.data import load
from suite.work import RULES, Work

from .given import Given
from .process import Resident
from .race import race
from .report import ABOUT_MEETINGS, Section, meeting_cell, meeting_head, several, table
from .training import AS_STORED, UNEVEN, given_as, label

WORKS = {rule: Work((784, 128, 10), 128, rule=rule, dense=True) for rule in RULES}
TITLES = {"sgd": "SGD", "momentum": "momentum", "nesterov": "Nesterov", "adam": "Adam"}


def run(given: Given) -> Section:
    section = Section("Optimisers over plain SGD")
    rounds = given.rounds if given.quick else 3 * given.rounds  # to tell some per cent apart takes more of them
    rows = [_row(section, kind, rounds, given) for kind in (AS_STORED, UNEVEN)]
    head = ["network, batch, rows without zeros", *TITLES.values(), *meeting_head(given.threads)]
    section.parts.append(table(head, rows))
    section.parts.append(
        f"{several(rounds).capitalize()} in one process, an epoch of each rule in turn. Uneven floats are rows that "
        f"are never multiplied as bytes. {ABOUT_MEETINGS}"
    )
    return section


def _row(section: Section, kind: str, rounds: int, given: Given) -> list[str]:
    systems = [Resident("fastmlp", train_alternately, given.threads, rows=kind)]
    outcome = race(f"rules, {kind}", systems, given, rounds=rounds)
    title = label(WORKS["sgd"], kind) + section.note(outcome, f"rules, {kind}")
    if not outcome.took_part("fastmlp"):
        return [title, *("" for _ in RULES), *meeting_cell(outcome, given.threads)]
    seconds = {rule: outcome.median("fastmlp", rule) for rule in RULES}
    cells = [f"{seconds[rule] / seconds['sgd']:.2f}x ({seconds[rule]:.3f} s)" for rule in RULES[1:]]
    return [title, f"{seconds['sgd']:.3f} s", *cells, *meeting_cell(outcome, given.threads)]


def train_alternately(turns, threads: int, rows: str) -> dict:
    """Train two epochs with each rule in every turn; the figures are the seconds of the second ones.

    rows: as for ``training.train``
    """
    from fastmlp import Trainer

    data = given_as(rows, WORKS["sgd"], load(WORKS["sgd"]))
    trainers = {
        rule: Trainer(**work.trainer_options(), epochs=2, input_scale=data.scale, threads=threads)
        for rule, work in WORKS.items()
    }
    while turns():
        for rule, trainer in trainers.items():
            # the first one touches memory that is new
            turns.figures[rule] = trainer.fit(data.X_train, data.y_train).epoch_seconds[-1]
    return {}
