from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import closing

import pytest
import torch

from densezoo import threads
from densezoo.errors import EvaluationError
from densezoo.threads import AHEAD, in_order, one_thread


def test_one_thread_is_for_a_while() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def identity(task: int) -> int:
    return task


def unsteady(task: int) -> int:
    time.sleep(random.random() / 100)
    return task * task


@pytest.mark.parametrize("num_threads", [0, 1, 3, 8])
def test_results_come_in_the_order_of_the_tasks(num_threads: int) -> None:
    assert list(in_order(unsteady, unsteady, 50, num_threads)) == [task**4 for task in range(50)]
    assert list(in_order(identity, identity, 0, num_threads)) == []


def test_tasks_are_done_side_by_side() -> None:
    both = threading.Barrier(2, timeout=20)
    assert list(in_order(identity, lambda task: (both.wait(), task)[1], 6, 2)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("num_threads", [0, 3])
@pytest.mark.parametrize("phase", ["load", "compute"])
def test_an_error_is_raised_in_its_place(phase: str, num_threads: int) -> None:
    begun: list[int] = []

    def failing(task: int) -> int:
        begun.append(task)
        if task in (20, 21):
            raise KeyError(task)
        return unsteady(task)

    done: list[int] = []
    functions = (failing, identity) if phase == "load" else (identity, failing)
    with pytest.raises(KeyError, match="20"):
        done.extend(in_order(*functions, 1000, num_threads))
    assert done == [task * task for task in range(20)]
    assert len(begun) <= 20 + AHEAD * 3 + 3, "tasks are begun after an error"


def test_no_thread_runs_away_from_a_slow_task() -> None:
    begun: list[int] = []
    go_on = threading.Event()

    def first_is_slow(task: int) -> int:
        begun.append(task)
        if task == 0:
            assert go_on.wait(20)
        return task

    with closing(in_order(identity, first_is_slow, 10_000, 2)) as results:
        threading.Timer(0.3, go_on.set).start()
        assert next(results) == 0
        assert len(begun) <= 2 * AHEAD + 1
        assert [*results] == list(range(1, 10_000))


def test_threads_end_with_their_caller() -> None:
    before = threading.active_count()
    with closing(in_order(unsteady, unsteady, 1000, 4)) as results:
        assert next(results) == 0
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_an_interruption_ends_the_wait_and_the_threads() -> None:
    before = threading.active_count()
    done: list[None] = []
    main = threading.get_ident()
    both = threading.Barrier(2, timeout=20)

    def interrupting(task: int) -> None:
        if task < 2:
            both.wait()  # all threads have begun
        if task == 0:
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.05)

    with pytest.raises(KeyboardInterrupt):
        done.extend(in_order(identity, interrupting, 1000, 2))
    assert done == []
    assert threading.active_count() == before


def test_torch_computes_in_one_thread_there_and_in_all_again_here() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        numbers = list(in_order(identity, lambda task: torch.get_num_threads(), 20, 2))
        assert numbers == [1] * 20
        assert torch.get_num_threads() == 3
        later: list[int] = []
        thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert later == [3], "the threads' number is left to those that come after"
    finally:
        torch.set_num_threads(before)


def test_a_thread_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "POLL", 0.02)
    monkeypatch.setattr(threads, "PATIENCE", 0.1)
    never = threading.Event()
    done: list[int] = []

    def hanging(task: int) -> int:
        if task == 5:
            never.wait(60)
        return task

    with pytest.raises(EvaluationError, match="a thread that decodes images has waited"):
        done.extend(in_order(hanging, identity, 100, 2))
    assert done == [0, 1, 2, 3, 4]
    never.set()


def test_slow_computing_is_not_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "POLL", 0.02)
    monkeypatch.setattr(threads, "PATIENCE", 0.06)
    assert list(in_order(identity, lambda task: time.sleep(0.3), 2, 2)) == [None, None]
