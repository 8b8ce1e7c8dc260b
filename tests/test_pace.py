"""How many threads of a team work: what is faster at the moment, found by trials that cost little."""

import pytest

from fastmlp import pace
from fastmlp.pace import Findings, Pace, lent_pace


class Machine:
    """A machine on which a minibatch takes so many threads so long; its clock is that of paces."""

    def __init__(self, monkeypatch):
        monkeypatch.setattr(pace, "perf_counter", lambda: self.now)
        self.now, self.seconds = 0.0, {}

    def train(self, team, steps, shortest=10, longest=100):
        """Return how many minibatches each number of threads was to train on."""
        trained, done = dict.fromkeys(team.members, 0), 0
        for members, some in team.portions(steps, shortest, longest):
            assert some.start == done < some.stop
            count, fitting = some.stop - some.start, pace.LONGEST_PORTION / self.seconds[members]
            assert some.stop == steps or count in (shortest, longest) or longest < count <= fitting * (1 + 1e-9)
            done = some.stop
            trained[members] += some.stop - some.start
            self.now += self.seconds[members] * (some.stop - some.start)
        assert done == steps
        return trained


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(Findings, "wait", 0.0)
    return Machine(monkeypatch)


def test_one_thread_has_nothing_to_try(machine):
    machine.seconds = {1: 0.001}
    assert machine.train(Pace(1), 1000) == {1: 1000}


def test_trials_cost_little_where_all_threads_pay(machine):
    machine.seconds = {1: 0.002, 2: 0.001}
    trained = machine.train(Pace(2), 100_000)
    assert 10 <= trained[1] < 500


def test_trials_of_long_minibatches_cost_no_more(machine):
    machine.seconds = {1: 0.03, 2: 0.015}
    trained = machine.train(Pace(2), 100_000, shortest=1, longest=10)
    assert trained[1] * machine.seconds[1] < machine.now / 190


def test_fewer_threads_where_threads_wait_for_one_another(machine):
    machine.seconds = {1: 0.001, 2: 0.04}
    trained = machine.train(Pace(2), 100_000)
    assert trained[2] < 500


def test_what_has_changed_is_found_out(machine):
    team = Pace(2)
    machine.seconds = {1: 0.002, 2: 0.001}
    machine.train(team, 5_000)
    machine.seconds = {1: 0.002, 2: 0.04}
    busy = machine.train(team, 100_000)
    machine.seconds = {1: 0.002, 2: 0.001}
    free = machine.train(team, 100_000)
    assert busy[2] < 2_000
    assert free[1] < pace.LONGEST_WAIT / 0.002 + 2_000


def test_what_becomes_much_slower_is_found_out_at_once(machine):
    team = Pace(2)
    machine.seconds = {1: 0.002, 2: 0.001}
    machine.train(team, 1_000)
    machine.seconds = {1: 0.002, 2: 0.04}
    assert machine.train(team, 2_000)[2] < 200


@pytest.mark.parametrize("best", [8, 4, 2, 1])
def test_as_many_of_eight_threads_as_pay(machine, best):
    machine.seconds = {members: 0.001 * max(members / best, best / members) for members in (8, 4, 2, 1)}
    trained = machine.train(Pace(8), 100_000)
    assert trained[best] > 90_000


@pytest.mark.parametrize("members", [3, 5, 6, 7])
def test_any_number_is_halved_down_to_one(machine, members):
    team = Pace(members)
    assert team.members[0] == members
    assert team.members[-1] == 1
    machine.seconds = {some: some * 0.001 for some in team.members}
    assert machine.train(team, 100_000)[1] > 90_000


def test_short_calls_tell_as_much_together(machine):
    machine.seconds = {1: 0.001, 2: 0.003}
    team = Pace(2)
    for _ in range(200):
        machine.train(team, 3)
    assert machine.train(team, 3) == {1: 3, 2: 0}


def test_the_next_fit_begins_with_what_the_last_has_found(machine):
    machine.seconds = {1: 0.001, 2: 0.003}
    machine.train(Pace(2), 1000)
    assert machine.train(Pace(2), 100) == {1: 100, 2: 0}
    assert machine.train(Pace(1), 100) == {1: 100}


def test_trainings_that_are_shorter_than_a_trial_go_on_with_it(machine):
    machine.seconds = {1: 0.0002, 2: 0.0001}
    trained = {1: 0, 2: 0}
    for _ in range(200):
        with lent_pace(2, "alike") as team:
            for members, steps in machine.train(team, 120).items():
                trained[members] += steps
    assert 0 < trained[1] < 0.02 * trained[2]


def test_trainings_that_are_not_alike_begin_anew(machine):
    machine.seconds = {1: 0.001, 2: 0.003}
    with lent_pace(2, "some") as team, lent_pace(2, "some") as at_the_same_time:
        assert team is not at_the_same_time
    with lent_pace(2, "some") as same:
        assert same is team
    with lent_pace(2, "others") as other:
        assert other is not team


def test_portions_have_whole_epochs_if_asked_to(machine):
    machine.seconds, portions = {1: 0.003, 2: 0.001}, []
    for members, portion in Pace(2).portions(7 * 700, 10, 100, whole=7):
        machine.now += machine.seconds[members] * (portion.stop - portion.start)
        portions.append(portion)
    assert all(portion.start % 7 == portion.stop % 7 == 0 for portion in portions)
    assert {portion.stop - portion.start for portion in portions} >= {14, 105}
