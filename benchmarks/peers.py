"""Time an epoch of the same work in fastmlp, NumPy, scikit-learn, PyTorch and JAX, in one run: python peers.py --help

What is not installed is left out. The table goes to standard output, progress to standard error. Exit code 1 says that
a system failed, that systems did not learn the same, or that other programs kept the processor busy.
"""

import argparse
import sys
from collections.abc import Callable, Iterable

from peer_process import PeerError, PeerProcess
from peer_systems import PEERS
from peer_table import Round, Row, check_readme, markdown, write_readme
from suite.data import ROOT, load
from suite.work import MNIST_128, WORK, Work, available_cpus

README = ROOT / "README.md"
ALWAYS = ("floor", "fastmlp")
TRIES = 3
"""So many times as many rounds as asked for are run at most, in search of undisturbed ones."""
IDLE_CORES = 0.02
"""A system that uses more than this out of turn would slow the others: it is reported."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure(work: Work, peers: list[str], rounds: int, tries: int, threads: int) -> Row:
    """Let the systems train an epoch each to compile and warm up, then in turn, round by round.

    Rounds in which other programs ran are repeated, up to ``tries`` in all; those that had most of the processor count.
    """
    data = load(work)
    row = Row(work, data.name, len(data.y_train))
    say(f"{work.name} on {row.rows:,} rows, {data.name}")
    del data
    team = Team(PeerProcess(peer, work, threads) for peer in peers)
    try:
        team.let_each(PeerProcess.wait_until_ready)
        for peer, turn in team.let_each(PeerProcess.epoch).items():
            say(f"  {peer:8} {turn['seconds']:7.3f} s: the first epoch, to warm up")
        seen: list[Round] = []
        while len(seen) < tries and sum(not r.disturbed(threads) for r in seen) < rounds:
            seen.append(team.round())
        row.rounds = sorted(seen, key=lambda r: r.cores)[-rounds:]
        ends = team.let_each(PeerProcess.finish)
    finally:
        team.kill()
    row.failed = team.failed
    for peer, end in ends.items():
        _note(row, peer, end)
    return row


class Team:
    """The processes of all systems that still answer."""

    def __init__(self, processes: Iterable[PeerProcess]):
        self.failed: list[str] = []
        self._processes = {process.peer: process for process in processes}

    def let_each(self, act: Callable[[PeerProcess], dict]) -> dict[str, dict]:
        """Return what each answers, by name; one that does not answer is left out from now on."""
        answers = {}
        for peer, process in list(self._processes.items()):
            try:
                answers[peer] = act(process)
            except PeerError as error:
                say(f"  {error}")
                self.failed.append(peer)
                self._processes.pop(peer).kill()
        return answers

    def round(self) -> Round:
        """Let each train an epoch, and the floor once more: both times tell whether the processor was free."""
        turns = self.let_each(PeerProcess.epoch)
        cores = [turns["floor"]["cores"], self._processes["floor"].epoch()["cores"]] if "floor" in turns else [0.0]
        return Round({peer: turn["seconds"] for peer, turn in turns.items()}, min(cores))

    def kill(self) -> None:
        for process in self._processes.values():
            process.kill()


def _note(row: Row, peer: str, end: dict) -> None:
    seconds, score, out_of_turn = row.seconds(peer), end["accuracy"], end["cores_out_of_turn"]
    learned = "" if score is None else f", test accuracy {score:.4f}"
    say(f"  {peer:8} {row.median(peer):7.3f} s, from {min(seconds):.3f} to {max(seconds):.3f}{learned}")
    if out_of_turn > IDLE_CORES:
        say(f"  {peer:8} used {out_of_turn:.0%} of a core while others were timed")
    if score is None:
        row.peaks = end["extra"]
    else:
        row.accuracy[peer] = score


def arguments() -> argparse.Namespace:
    others = [peer for peer in PEERS if peer not in ALWAYS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].partition(":")[0])
    parser.add_argument("--all", action="store_true", help=f"every network, not only {MNIST_128.name}")
    parser.add_argument("--work", type=_names(WORK), metavar="NAME,...", help=f"these networks: {', '.join(WORK)}")
    parser.add_argument("--peers", type=_names(others), default=others, metavar="NAME,...", help=", ".join(others))
    parser.add_argument("--threads", type=int, default=min(2, available_cpus()), help="for each system (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="timed epochs that count (%(default)s)")
    parser.add_argument(
        "--quick", action="store_true", help="one timed epoch: does all run? A busy machine is no error"
    )
    parser.add_argument("--write-readme", action="store_true", help="put the table into README.md as well")
    given = parser.parse_args()
    if not 1 <= given.threads <= available_cpus():
        parser.error(f"--threads must lie from 1 to {available_cpus()}, the CPUs that this process may use")
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    if given.quick and given.write_readme:
        parser.error("--quick measures too little for --write-readme")
    if given.quick:
        given.rounds = 1
    if given.write_readme:
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
    given = arguments()
    works = list(WORK) if given.all else given.work or [MNIST_128.name]
    chosen = [*ALWAYS, *given.peers]
    for peer in chosen:
        if not PEERS[peer].installed():
            say(f"{PEERS[peer].title} is not installed: left out")
    installed = [peer for peer in chosen if PEERS[peer].installed()]
    rows = []
    for name in works:
        able = [peer for peer in installed if PEERS[peer].can(WORK[name])]
        tries = given.rounds * (1 if given.quick else TRIES)
        rows.append(measure(WORK[name], able, given.rounds, tries, given.threads))
    complete = [row for row in rows if not set(ALWAYS) & set(row.failed)]
    right = len(complete) == len(rows) and not any(row.failed or row.disagreement() for row in rows)
    undisturbed = not any(row.disturbance(given.threads) for row in rows)
    if complete:
        titles = {peer: f"{PEERS[peer].title} {PEERS[peer].version}" for peer in installed if peer not in ALWAYS}
        table = markdown(complete, titles, given.threads, given.rounds)
        print(table)
        if given.write_readme and right and undisturbed:
            write_readme(README, table)
    if not (right and undisturbed):
        say("these figures are not to be relied on" + (": README.md stays as it was" if given.write_readme else ""))
    return int(not (right and (undisturbed or given.quick)))


if __name__ == "__main__":
    sys.exit(main())
