"""Threads for functions that block."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from pyflink_durable.errors import ThreadNotStarted

_Job = tuple[Callable[[Any], object], Any, Callable[[Any, ThreadNotStarted], object]]
"""What to run, with what, and what to do in its place if there is no thread for it."""


def start_thread(thread: threading.Thread) -> None:
    """Starts a thread.

    Raises:
        ThreadNotStarted: The machine has none left.
    """
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        raise ThreadNotStarted(thread.name, threading.active_count(), str(error)) from error


class ThreadPool:
    """Runs jobs, each on one of a bounded number of threads.

    `concurrent.futures` wakes a thread for every job, and the threads then fight for the
    interpreter's lock: some 45 microseconds a call. Here one thread at a time looks for work, as in
    Go's scheduler; when it has found a job it wakes the next one if there are more. Jobs that block
    spread over as many threads as there are jobs; jobs that do not are run by one or two.

    A thread whose job was given up, and goes on, has another one in its place. There are at most as
    many of these as the pool has threads: a service that hangs for an hour would else take all the
    threads of the machine.

    Args:
        name: The threads' name, with a number behind.
        size: How many threads there are at the most; they start when they are needed.
        on_problem: Gets one line if there are fewer than jobs need; called from any thread.
    """

    def __init__(
        self, name: str, size: int, on_problem: Callable[[str], None] = lambda line: None
    ) -> None:
        self._name = name
        self._size = size
        self._on_problem = on_problem
        self._jobs: deque[_Job] = deque()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._wake_ups: SimpleQueue[None] = SimpleQueue()
        self._started = 0
        self._idle = 0
        self._searching = 0
        self._given_up = 0
        self._told: set[str] = set()
        self._closed = False

    def submit(
        self,
        run: Callable[[Any], object],
        what: Any,
        refuse: Callable[[Any, ThreadNotStarted], object],
    ) -> None:
        """Has `run(what)` called as soon as a thread is free; it must not raise.

        Args:
            run: The job. It returns True if `give_up` was called for it.
            what: What it is about.
            refuse: Called in its place if there is no thread, and none can be started.
        """
        with self._lock:
            if self._closed:
                return
            self._jobs.append((run, what, refuse))
            failure = self._wake_one()
        if failure is not None:
            self._go_on_without(failure)

    def give_up(self) -> None:
        """Tells that nobody waits for a job that runs: another thread takes the place of its."""
        failure = None
        with self._lock:
            self._given_up += 1
            if self._jobs and not self._closed:
                failure = self._wake_one()
            all_hang = self._given_up >= 2 * self._size
        if failure is not None:
            self._go_on_without(failure)
        if all_hang:
            self._tell_once(
                "hang",
                f"pool={self._name} threads={2 * self._size} all threads run calls that were given "
                "up at their timeout, and calls wait until one of them ends; find out what they "
                "hang in, and give their clients timeouts",
            )

    @property
    def _most(self) -> int:
        """How many threads there may be now."""
        return self._size + min(self._given_up, self._size)

    def _wake_one(self) -> ThreadNotStarted | None:
        """Has a thread look for work, unless one does; gives why it could not."""
        if self._searching:
            return None  # it will wake the next one when it has found a job
        if self._idle:
            self._idle -= 1
            self._searching += 1
            self._wake_ups.put(None)
        elif len(self._threads) < self._most:
            name = f"{self._name}-{self._started}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            self._searching += 1
            try:
                start_thread(thread)
            except ThreadNotStarted as failure:
                self._threads.pop()
                self._searching -= 1
                return failure
            self._started += 1
        return None

    def _go_on_without(self, failure: ThreadNotStarted) -> None:
        """Leaves the jobs to the threads that there are; without any they would wait for ever."""
        refused: list[_Job] = []
        with self._lock:
            if len(self._threads) <= self._given_up:
                refused.extend(self._jobs)
                self._jobs.clear()
        self._tell_once("start", f"pool={self._name} {failure}")
        for _, what, refuse in refused:
            refuse(what, failure)

    def _tell_once(self, problem: str, line: str) -> None:
        if problem not in self._told:
            self._told.add(problem)
            self._on_problem(line)

    def _work(self) -> None:
        searching = True
        while not self._closed:
            job = self._next_job(searching)
            searching = job is None
            if job is None:
                self._wake_ups.get()
            else:
                run, what, _ = job
                given_up = run(what) is True
                del job, run, what, _  # an idle thread keeps nobody's payload alive
                if given_up and self._leave():
                    return

    def _leave(self) -> bool:
        """Ends a thread whose job was given up, if another one has its place."""
        with self._lock:
            self._given_up -= 1
            if self._closed or len(self._threads) <= self._most:
                return False
            self._threads.remove(threading.current_thread())
            return True

    def _next_job(self, searching: bool) -> _Job | None:
        with self._lock:
            if searching:
                self._searching -= 1
            if not self._jobs:
                self._idle += 1
                return None
            job = self._jobs.popleft()
            failure = self._wake_one() if self._jobs else None
        if failure is not None:
            self._go_on_without(failure)
        return job

    def close(self, deadline: float) -> list[str]:
        """Ends the threads; jobs that have not started never do.

        A job that runs is waited for, and not interrupted: an exception raised in a thread from
        outside can strike between a library's taking a lock and its giving it back. A connection
        pool shared with the next attempt then stays locked for ever; it did, and the job hung.

        Args:
            deadline: When to stop waiting, on the clock of `time.monotonic`.

        Returns:
            The names of threads whose job still runs.
        """
        with self._lock:
            self._closed = True
            self._jobs.clear()
        for _ in self._threads:
            self._wake_ups.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]
