"""From the start of a process: imports, the end of a first epoch, what compiling takes; and the most memory."""

import os
import shutil
import sysconfig
import tempfile

from suite.data import load, mnist_folder, strokes
from suite.work import MNIST_128

from .child import peak_bytes
from .given import Given
from .process import PYTHON, Command, Newborn, Resident
from .race import Outcome, race
from .report import Section, several, table
from .systems import SYSTEMS
from .training import TRAINED, train

IMPORTS = {
    "fastmlp": "import fastmlp",
    "trainer": "from fastmlp import Trainer",
    "sklearn": "import sklearn.neural_network",
    "torch": "import torch",
    "jax": "import jax",
}
FIRST_EPOCH = """
from fastmlp import Trainer
from fastmlp.data import load
data = load("mnist")
trainer = Trainer(hidden=128, batch_size=128, epochs=1, input_scale=data.input_scale, threads={threads})
trainer.fit(data.X_train, data.y_train)
"""


def run(given: Given) -> Section:
    section = Section("Start and memory")
    if mnist_folder() is None:
        section.parts.append("MNIST was not found: first epochs and memory are left out.")
    lines = [*_imports(section, given), *_first_epochs(section, given), _cold(section, given)]
    section.parts.append(table(["from the start of a process", "seconds"], lines))
    section.parts.append(
        f"{several(given.rounds).capitalize()}, each turn a fresh process; kernels are compiled before, but for the "
        "first classifier of all."
    )
    if mnist_folder() is not None:
        section.parts += [
            _memory(section, given),
            "The most memory that a process had, the interpreter and the rows included, in 784-128-10; fastmlp "
            "validates after its epochs, the others only train.",
        ]
    return section


def _imports(section: Section, given: Given) -> list[list[str]]:
    """Time imports beyond NumPy's."""
    names = ["fastmlp", "trainer", *given.systems("sklearn", "torch", "jax")[1:]]
    statements = {"numpy": "import numpy"} | {name: f"import numpy; {IMPORTS[name]}" for name in names}
    systems = (Command(name, [*PYTHON, "-c", text], given.threads) for name, text in statements.items())
    outcome = race("start: imports", systems, given)
    doubts = section.note(outcome, "imports")
    lines = []
    for name in names:
        if outcome.took_part(name, "numpy"):
            beyond = outcome.median(name) - outcome.median("numpy")
            lines.append([f"`{IMPORTS[name]}` beyond `import numpy`{doubts}", f"{beyond:.3f} s"])
    return lines


def _first_epochs(section: Section, given: Given) -> list[list[str]]:
    """Time whole processes that load MNIST and train an epoch."""
    folder = mnist_folder()
    if folder is None:
        return []
    place = {"FASTMLP_DATA_DIR": str(folder.parent)}
    options = f"--hidden 128 --batch-size 128 --epochs 1 --threads {given.threads}".split()
    titles = {
        "script": "the end of the first epoch on MNIST, a script",
        "command": "the end of `fastmlp-train mnist --hidden 128 --epochs 1`, tested on 10,000 rows",
    }
    script = [*PYTHON, "-c", FIRST_EPOCH.format(threads=given.threads)]
    program = shutil.which("fastmlp-train", path=sysconfig.get_path("scripts")) or "fastmlp-train"
    systems = [
        Command("script", script, given.threads, place),
        Command("command", [program, "mnist", *options], given.threads, place),
    ]
    outcome = race("start: first epochs", systems, given)
    doubts = section.note(outcome, "first epochs")
    return [
        [title + doubts, f"{outcome.median(name):.3f} s" if outcome.took_part(name) else ""]
        for name, title in titles.items()
    ]


def _cold(section: Section, given: Given) -> list[str]:
    """Let a classifier compile its kernels into an empty folder."""
    with tempfile.TemporaryDirectory() as folder:

        def start(turn: int) -> Resident:
            empty = os.path.join(folder, str(turn))
            return Resident("cold", compile_first, given.threads, {"NUMBA_CACHE_DIR": empty})

        outcome = race("start: cold", [Newborn("cold", start)], given, warm_up=False)
    title = "compiling the first classifier on a machine" + section.note(outcome, "cold")
    return [title, f"{outcome.median('cold', 'compile_seconds'):.2f} s" if outcome.took_part("cold") else ""]


def compile_first(turns, threads: int) -> dict:
    """Compile and train a first classifier; return what it waited for kernels."""
    from fastmlp import Trainer

    trainer = Trainer(hidden=128, batch_size=128, epochs=1, input_scale=1 / 255, threads=threads)
    X, y = strokes(1_000)
    while turns():
        trainer.fit(X, y)
    return {"compile_seconds": trainer.compile_seconds}


def _memory(section: Section, given: Given) -> str:
    """Compare the peak memory of processes that train two epochs."""
    others = given.systems(*TRAINED)[1:]
    systems = [Resident("fastmlp", validate, given.threads)]
    systems += [Resident(name, train, given.threads, system=name, work=MNIST_128.name) for name in others]
    outcome = race("start: memory", systems, given, rounds=1)
    doubts = section.note(outcome, "memory")
    mine = _peak(outcome, "fastmlp")
    cells = []
    for name in ["fastmlp", *others]:
        peak = _peak(outcome, name)
        ratio = f"{peak / mine:.2f}x " if peak and mine and name != "fastmlp" else ""
        cells.append(f"{ratio}({peak / 1e6:.0f} MB)" if ratio else f"{peak / 1e6:.0f} MB" if peak else "")
    data = outcome.ends.get("fastmlp", {}).get("data", "")
    head = ["most memory", "fastmlp", *(SYSTEMS[name].heading for name in others)]
    return table(head, [[data + doubts, *cells]])


def _peak(outcome: Outcome, name: str) -> float | None:
    return outcome.ends.get(name, {}).get("peak_bytes")


def validate(turns, threads: int) -> dict:
    """Train an epoch in every turn, validating after it; return the most memory this process had."""
    from fastmlp import Trainer

    data = load(MNIST_128)
    trainer = Trainer(**MNIST_128.trainer_options(), epochs=1, input_scale=data.scale, threads=threads)
    while turns():
        trainer.fit(data.X_train, data.y_train, (data.X_test, data.y_test))
    return {"data": data.name, "peak_bytes": peak_bytes()}
