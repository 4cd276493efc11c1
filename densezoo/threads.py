"""How many threads torch computes with, and threads that work side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from densezoo.errors import EvaluationError

Loaded = TypeVar("Loaded")
Result = TypeVar("Result")

POLL = 1.0  # seconds between two looks at a thread that is waited for
PATIENCE = 45  # looks at a thread that still loads the same, after which it counts as lost
AHEAD = 4  # tasks a thread that may be done before the oldest one is


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread until the block ends.

    For many short steps: on a busy machine torch's threads wait for each other in a loop. Loading a densenet121 took
    up to 5 s of CPU with all threads, and takes 0.2 s with one.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def in_order(
    load: Callable[[int], Loaded], compute: Callable[[Loaded], Result], num_tasks: int, num_threads: int
) -> Generator[Result]:
    """The result of each task, in the tasks' order, by threads that take tasks from one counter.

    A task's error is raised in its place, after the results before it; no further task is begun then. In these threads
    torch computes with one thread. A caller that doesn't exhaust this generator must close it, which ends the threads.

    Args:
        load: task, from 0 -> what it needs; may wait for a disk.
        compute: what a task needs -> its result.
        num_tasks: of which each thread takes the next one.
        num_threads: 0: the calling thread does all tasks.

    Raises:
        EvaluationError: `load` doesn't return within PATIENCE seconds.
    """
    if num_threads == 0:
        for task in range(num_tasks):
            yield compute(load(task))
        return
    team = _Team(load, compute, num_tasks, num_threads)
    try:
        for thread in team.threads:
            thread.start()
        for task in range(num_tasks):
            yield team.result(task)
    finally:
        team.end()


class _Team(Generic[Loaded, Result]):
    """Threads that take tasks from one counter, and what became of the tasks that aren't asked for yet.

    Args:
        load: task, from 0 -> what it needs; may wait for a disk.
        compute: what a task needs -> its result.
        num_tasks: of which each thread takes the next one.
        num_threads: how many threads.
    """

    def __init__(
        self, load: Callable[[int], Loaded], compute: Callable[[Loaded], Result], num_tasks: int, num_threads: int
    ) -> None:
        self.load, self.compute, self.num_tasks = load, compute, num_tasks
        self.ahead = AHEAD * num_threads
        self.changed = threading.Condition()  # guards all that follows
        self.taken, self.asked = 0, 0
        self.loading: set[int] = set()
        self.results: dict[int, Result] = {}
        self.errors: dict[int, BaseException] = {}
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(num_threads, num_tasks))]

    def result(self, task: int) -> Result:
        """Wait for a task's result, or raise its error.

        Args:
            task: the next one.
        """
        with self.changed:
            self.asked = task
            self.changed.notify_all()
            looks = 0
            while task not in self.results and task not in self.errors:
                if not self.changed.wait(POLL):  # looks are counted, not seconds: this process may have been stopped
                    looks = looks + 1 if task in self.loading else 0
                if looks > PATIENCE / POLL:
                    raise EvaluationError(
                        f"a thread that decodes images has waited {PATIENCE:.0f} s for one; check whether the images "
                        "can still be read"
                    )
            if task in self.errors:
                raise self.errors.pop(task)
            return self.results.pop(task)

    def _work(self) -> None:
        import torch

        torch.get_num_threads()  # at its first use in a thread torch takes the number of the process
        torch.set_num_threads(1)
        while (task := self._take()) is not None:
            try:
                loaded = self.load(task)
                with self.changed:
                    self.loading.discard(task)
                result = self.compute(loaded)
            except BaseException as error:  # of any kind: the caller raises it
                with self.changed:
                    self.loading.discard(task)
                    self.errors[task] = error
                    self.taken = self.num_tasks
                    self.changed.notify_all()
                return
            with self.changed:
                self.results[task] = result
                self.changed.notify_all()

    def _take(self) -> int | None:
        """The next task; None: there is none."""
        with self.changed:
            while self.taken < self.num_tasks and self.taken - self.asked >= self.ahead:
                self.changed.wait()
            if self.taken >= self.num_tasks:
                return None
            task = self.taken
            self.taken += 1
            self.loading.add(task)
            return task

    def end(self) -> None:
        """Let no task be begun, and wait for those that are computed; one that is still loaded may hang."""
        import torch

        with self.changed:
            self.taken = self.num_tasks
            self.changed.notify_all()
        while alive := [thread for thread in self.threads if thread.is_alive()]:
            alive[0].join(POLL)
            if alive[0].is_alive() and len(alive) <= len(self.loading):
                break
        torch.set_num_threads(torch.get_num_threads())  # what later threads take theirs from
