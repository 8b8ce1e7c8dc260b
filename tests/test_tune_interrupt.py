"""Ctrl-C while a search runs in this process; tests/test_tune_cli.py has it from a shell."""

import signal
import threading

import pytest
from searches import figures, search


def test_the_first_ends_the_search_and_keeps_what_ended():
    before = signal.getsignal(signal.SIGINT)
    found = search(trials=1000, jobs=1, watch=lambda trial: trial.number == 2 and signal.raise_signal(signal.SIGINT))
    assert found.interrupted
    assert 3 <= len(found.trials) < 1000
    assert figures(found)[:3] == figures(search(trials=3))
    assert found.model is not None
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_is_an_exception():
    def press_twice(trial):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        search(trials=1000, jobs=1, watch=press_twice)


def test_before_any_trial_ended_it_is_an_exception(monkeypatch):
    monkeypatch.setattr("fastmlp.tuning.running.next_trial", lambda *_: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        search()


def test_a_handler_of_the_programs_own_decides():
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        found = search(trials=4, watch=lambda trial: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(heard) == len(found.trials) == 4
    assert not found.interrupted


def test_other_threads_search_too():
    found = []
    thread = threading.Thread(target=lambda: found.append(search()))
    thread.start()
    thread.join()
    assert figures(found[0]) == figures(search())
