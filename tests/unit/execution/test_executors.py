"""Where calls run: how many at a time, and how their threads end."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from loops import PATIENCE, wait_until

from pyflink_durable.errors import ThreadNotStarted
from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.execution.thread_pool import ThreadPool


def in_time() -> float:
    return time.monotonic() + PATIENCE


def submit(pool: ThreadPool, job: Callable[[], object]) -> None:
    def refuse(job: Any, failure: ThreadNotStarted) -> None:
        raise failure

    pool.submit(lambda job: job(), job, refuse)


class Blocked:
    """Jobs that wait for each other, and how many ran at a time."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.running = 0
        self.most = 0
        self.ended = 0
        self._lock = threading.Lock()

    def job(self) -> None:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.go.wait(PATIENCE)
        with self._lock:
            self.running -= 1
            self.ended += 1


@pytest.fixture
def blocked() -> Iterator[Blocked]:
    blocked = Blocked()
    yield blocked
    blocked.go.set()
    wait_until(lambda: blocked.running == 0)


class TestThreadPool:
    def test_starts_no_thread_before_the_first_job(self) -> None:
        threads = threading.active_count()
        pool = ThreadPool("pool", 8)
        assert threading.active_count() == threads
        assert pool.close(in_time()) == []

    def test_grows_with_its_blocked_jobs_up_to_its_size_and_not_beyond(
        self, blocked: Blocked
    ) -> None:
        before = threading.active_count()
        pool = ThreadPool("pool", 3)
        for running in (1, 2, 3, 3, 3):
            submit(pool, blocked.job)
            wait_until(lambda running=running: blocked.running == running)
            assert threading.active_count() - before <= running
        blocked.go.set()
        wait_until(lambda: blocked.ended == 5)
        assert blocked.most == 3
        assert pool.close(in_time()) == []
        assert threading.active_count() == before

    def test_a_burst_of_jobs_that_block_spreads_over_all_threads(self, blocked: Blocked) -> None:
        pool = ThreadPool("pool", 16)
        for _ in range(16):
            submit(pool, blocked.job)
        wait_until(lambda: blocked.running == 16)
        blocked.go.set()
        assert pool.close(in_time()) == []

    def test_every_job_runs_once_whoever_submits_it(self) -> None:
        pool = ThreadPool("pool", 4)
        ran: list[int] = []

        def submit_all(start: int) -> None:
            for number in range(start, start + 1_000):
                submit(pool, partial(ran.append, number))

        submitters = [threading.Thread(target=submit_all, args=(n * 1_000,)) for n in range(4)]
        for thread in submitters:
            thread.start()
        wait_until(lambda: len(ran) == 4_000)
        assert sorted(ran) == list(range(4_000))
        assert pool.close(in_time()) == []

    def test_close_reports_threads_whose_job_still_runs(self, blocked: Blocked) -> None:
        pool = ThreadPool("pool", 2)
        submit(pool, blocked.job)
        wait_until(lambda: blocked.running == 1)
        assert pool.close(time.monotonic()) == ["pool-0"]
        blocked.go.set()
        wait_until(lambda: all(thread.name != "pool-0" for thread in threading.enumerate()))

    def test_close_waits_for_a_job_that_ends_before_the_deadline(self, blocked: Blocked) -> None:
        pool = ThreadPool("pool", 1)
        submit(pool, blocked.job)
        wait_until(lambda: blocked.running == 1)
        threading.Timer(0.01, blocked.go.set).start()
        assert pool.close(in_time()) == []
        assert blocked.ended == 1

    def test_jobs_that_have_not_started_never_do(self, blocked: Blocked) -> None:
        pool = ThreadPool("pool", 1)
        ran: list[str] = []
        submit(pool, blocked.job)
        wait_until(lambda: blocked.running == 1)
        submit(pool, lambda: ran.append("in the queue"))
        assert pool.close(time.monotonic()) == ["pool-0"]
        submit(pool, lambda: ran.append("after the close"))
        blocked.go.set()
        wait_until(lambda: all(thread.name != "pool-0" for thread in threading.enumerate()))
        assert ran == []

    def test_a_submit_after_the_close_starts_no_thread(self) -> None:
        pool = ThreadPool("pool", 1)
        assert pool.close(in_time()) == []
        before = threading.active_count()
        submit(pool, lambda: None)
        assert threading.active_count() == before

    def test_an_idle_thread_keeps_no_payload_alive(self) -> None:
        class Payload:
            def __call__(self) -> None:
                pass

        payload = Payload()
        gone = weakref.ref(payload)
        pool = ThreadPool("pool", 1)
        submit(pool, payload)
        del payload
        wait_until(lambda: gone() is None)
        assert pool.close(in_time()) == []


class TestCallExecutor:
    @pytest.fixture
    def outcomes(self) -> list[FunctionOutcome]:
        return []

    def test_a_thousand_coroutines_at_once_on_one_thread(
        self, outcomes: list[FunctionOutcome], executor: CallExecutor
    ) -> None:
        threads = threading.active_count()
        sleeping: set[int] = set()
        everyone: list[asyncio.Event] = []

        async def call(number: int) -> int:
            if not everyone:
                everyone.append(asyncio.Event())
            sleeping.add(number)
            if len(sleeping) == 1_000:
                everyone[0].set()
            await everyone[0].wait()
            assert threading.active_count() == threads + 1
            return number

        for number in range(1_000):
            executor.submit(Execution(call, (number,)), outcomes.append)
        wait_until(lambda: len(outcomes) == 1_000)
        assert sorted(o.value for o in outcomes) == list(range(1_000))
        assert all(outcome.error is None for outcome in outcomes)

    def test_functions_run_up_to_the_pools_size(
        self, outcomes: list[FunctionOutcome], executor: CallExecutor, blocked: Blocked
    ) -> None:
        for _ in range(6):
            executor.submit(Execution(blocked.job), outcomes.append)
        wait_until(lambda: blocked.running == 4)
        blocked.go.set()
        wait_until(lambda: len(outcomes) == 6)
        assert blocked.most == 4

    def test_what_a_call_raises_is_its_outcome(
        self, outcomes: list[FunctionOutcome], executor: CallExecutor
    ) -> None:
        def fails(kind: type[BaseException]) -> None:
            raise kind

        async def fails_remotely(kind: type[BaseException]) -> None:
            raise kind

        kinds = (ValueError, SystemExit, KeyboardInterrupt)
        for func in (fails, fails_remotely):
            for kind in kinds:
                executor.submit(Execution(func, (), {"kind": kind}), outcomes.append)
        wait_until(lambda: len(outcomes) == 6)
        assert sorted(type(o.error).__name__ for o in outcomes) == sorted(
            kind.__name__ for kind in kinds * 2
        )

    def test_close_cancels_coroutines_and_their_tasks(self) -> None:
        executor = CallExecutor("closing", 2)
        started: list[str] = []
        cleaned: list[str] = []
        outcomes: list[FunctionOutcome] = []

        async def waits(name: str) -> None:
            started.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                cleaned.append(name)

        async def call() -> None:
            background = asyncio.create_task(waits("task"))
            await waits("call")
            await background

        executor.submit(Execution(call), outcomes.append)
        wait_until(lambda: len(started) == 2)
        assert executor.close(in_time()) == []
        assert sorted(cleaned) == ["call", "task"]
        [outcome] = outcomes
        assert isinstance(outcome.error, asyncio.CancelledError)
        assert not any(t.name.startswith("closing") for t in threading.enumerate())

    def test_close_reports_a_coroutine_that_blocks(self, blocked: Blocked) -> None:
        executor = CallExecutor("blocking", 2)

        async def call() -> None:
            blocked.job()

        executor.submit(Execution(call), print)
        wait_until(lambda: blocked.running == 1)
        assert executor.close(time.monotonic()) == ["blocking-asyncio"]
        blocked.go.set()
        wait_until(lambda: not any(t.name.startswith("blocking") for t in threading.enumerate()))

    @pytest.mark.parametrize("used", [True, False])
    def test_a_submit_after_the_close_runs_nothing(self, used: bool) -> None:
        executor = CallExecutor("closed", 2)
        ran: list[Any] = []
        if used:
            executor.submit(Execution(int), ran.append)
            wait_until(lambda: len(ran) == 1)
            ran.clear()
        assert executor.close(in_time()) == []
        executor.submit(Execution(lambda: ran.append("ran")), ran.append)
        assert not any(t.name.startswith("closed") for t in threading.enumerate())
        assert ran == []

    def test_closing_twice_is_closing_once(self) -> None:
        executor = CallExecutor("twice", 2)
        executor.submit(Execution(int), print)
        assert [executor.close(in_time()), executor.close(in_time())] == [[], []]
