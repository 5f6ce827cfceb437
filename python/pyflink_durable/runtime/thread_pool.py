"""Threads for functions that block."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue


class ThreadPool:
    """Runs jobs, each on one of a bounded number of threads.

    `concurrent.futures` wakes a thread for every job, and the threads then fight for the
    interpreter's lock: some 45 microseconds a call. Here one thread at a time looks for work, as in
    Go's scheduler; when it has found a job it wakes the next one if there are more. Jobs that block
    spread over as many threads as there are jobs; jobs that do not are run by one or two.

    Args:
        name: The threads' name, with a number behind.
        size: How many threads there are at the most; they start when they are needed.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._jobs: deque[Callable[[], object]] = deque()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._wake_ups: SimpleQueue[None] = SimpleQueue()
        self._started = 0
        self._idle = 0
        self._searching = 0
        self._closed = False

    def submit(self, job: Callable[[], object]) -> None:
        """Runs a job as soon as a thread is free; it must not raise.

        One that returns True ends its thread: `replace_one` was called for it.
        """
        with self._lock:
            if not self._closed:
                self._jobs.append(job)
                self._wake_one()

    def replace_one(self) -> None:
        """Lets another thread take the place of one whose job was given up."""
        with self._lock:
            self._size += 1
            if self._jobs and not self._closed:
                self._wake_one()

    def _wake_one(self) -> None:
        if self._searching:
            return  # it will wake the next one when it has found a job
        if self._idle:
            self._idle -= 1
            self._searching += 1
            self._wake_ups.put(None)
        elif len(self._threads) < self._size:
            self._searching += 1
            name = f"{self._name}-{self._started}"
            self._started += 1
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        searching = True
        while not self._closed:
            job = self._next_job(searching)
            searching = job is None
            if job is None:
                self._wake_ups.get()
            else:
                replaced = job() is True
                del job  # an idle thread keeps nobody's payload alive
                if replaced:
                    self._leave()
                    return

    def _leave(self) -> None:
        with self._lock:
            self._size -= 1
            if not self._closed:
                self._threads.remove(threading.current_thread())

    def _next_job(self, searching: bool) -> Callable[[], object] | None:
        with self._lock:
            if searching:
                self._searching -= 1
            if not self._jobs:
                self._idle += 1
                return None
            job = self._jobs.popleft()
            if self._jobs:
                self._wake_one()
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
