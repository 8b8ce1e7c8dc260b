"""Measure what is claimed of fastmlp, beside other systems and beside itself, in one run: python peers.py --help

What is not installed is left out. Tables go to standard output, progress to standard error. Exit code 1 says that
a system failed, that systems did not do the same work, or that other programs kept the processor busy.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable

from side_by_side import epochs, estimators, inference, recipes, rules, sparse, start, threads, tuning
from side_by_side.given import Given
from side_by_side.race import say
from side_by_side.readme import check_readme, write_readme
from side_by_side.report import cpu_model
from side_by_side.systems import OTHERS, SYSTEMS
from suite.data import ROOT
from suite.work import MNIST_128, WORK, available_cpus

README = ROOT / "README.md"
SECTIONS = {
    "epochs": epochs.run,
    "rules": rules.run,
    "threads": threads.run,
    "sparse": sparse.run,
    "estimators": estimators.run,
    "inference": inference.run,
    "start": start.run,
    "recipes": recipes.run,
    "tuning": tuning.run,
}
QUICK = ("epochs", "rules", "estimators", "inference")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].partition(":")[0])
    add = parser.add_argument
    add("--only", type=_names(SECTIONS), metavar="NAME,...", help=f"these sections: {', '.join(SECTIONS)}")
    add("--work", type=_names(WORK), metavar="NAME,...", help=f"these rows of the epochs: {', '.join(WORK)}")
    add("--peers", type=_names(OTHERS), default=OTHERS, metavar="NAME,...", help=", ".join(OTHERS))
    add("--threads", type=int, default=min(2, available_cpus()), help="for each system (%(default)s)")
    add("--rounds", type=int, default=5, help="timed turns of each system that count (%(default)s)")
    add(
        "--quick",
        action="store_true",
        help=f"does all run? One turn, {', '.join(QUICK)} on the least work; a busy machine is no error",
    )
    add("--write-readme", action="store_true", help="put the tables into README.md as well")
    given = parser.parse_args()
    if not 1 <= given.threads <= available_cpus():
        parser.error(f"--threads must lie from 1 to {available_cpus()}, the CPUs that this process may use")
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    if given.write_readme:
        if given.quick or given.only or given.work:
            parser.error("--quick, --only and --work measure too little for --write-readme")
        try:
            check_readme(README)
        except ValueError as error:
            parser.error(str(error))
    return given


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a reader of lists of known names."""

    def names(text: str) -> list[str]:
        given = text.split(",")
        if unknown := set(given) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return given

    return names


def main() -> int:
    options = arguments()
    chosen = options.only or (QUICK if options.quick else SECTIONS)
    given = Given(
        threads=options.threads,
        rounds=1 if options.quick else options.rounds,
        peers=tuple(options.peers),
        works=tuple(options.work or ([MNIST_128.name] if options.quick else WORK)),
        quick=options.quick,
    )
    for name in given.peers:
        if not SYSTEMS[name].installed():
            say(f"{SYSTEMS[name].title} is not installed: left out")
    plural = "thread" if given.threads == 1 else "threads"
    setting = f"{cpu_model()}, {available_cpus()} cores; {given.threads} {plural} where nothing else is said.\n"
    print(setting, flush=True)
    began = time.perf_counter()
    sections = []
    for name in chosen:
        sections.append(SECTIONS[name](given))
        print(sections[-1].markdown(), flush=True)
    say(f"{(time.perf_counter() - began) / 60:.1f} minutes")
    wrong = [trouble for section in sections for trouble in section.wrong]
    disturbed = any(section.disturbed for section in sections)
    for trouble in wrong:
        say(f"wrong: {trouble}")
    if wrong or disturbed:
        say("these figures are not to be relied on" + (": README.md stays as it was" if options.write_readme else ""))
    elif options.write_readme:
        write_readme(README, "\n".join([setting, *(section.markdown() for section in sections)]))
    return int(bool(wrong) or (disturbed and not given.quick))


if __name__ == "__main__":
    sys.exit(main())
