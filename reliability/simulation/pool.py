"""Many seeds, on several processes."""

from __future__ import annotations

import gc
import logging
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from typing import Final

from reliability.simulation.run import LOGGERS, Outcome, run_seed

__all__ = ["run_seeds"]

SEEDS_AT_ONCE: Final = 20
"""Seeds that a process is given at a time, so that a run that is interrupted ends soon."""


def _prepare() -> None:
    """A run makes many objects that end with it, and its log is its trace."""
    gc.set_threshold(20_000, 20, 50)
    gc.freeze()
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _run_some(seeds: range, protocol: int, typed: bool) -> list[Outcome]:
    return [run_seed(seed, protocol=protocol, typed=typed) for seed in seeds]


def run_seeds(seeds: range, jobs: int, protocol: int = 3, *, typed: bool = False) -> Generator[list[Outcome], None, None]:
    """Run the seeds on ``jobs`` processes. Yield the outcomes of each bunch as soon as it is done, in no order.

    Closing the iterator ends the processes.
    """
    bunches = iter([seeds[start : start + SEEDS_AT_ONCE] for start in range(0, len(seeds), SEEDS_AT_ONCE)])
    if jobs == 1:
        _prepare()
        yield from (_run_some(bunch, protocol, typed) for bunch in bunches)
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_prepare)
    try:
        under_way: set[Future[list[Outcome]]] = {
            pool.submit(_run_some, bunch, protocol, typed) for bunch in islice(bunches, 2 * jobs)
        }
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            under_way |= {pool.submit(_run_some, bunch, protocol, typed) for bunch in islice(bunches, len(done))}
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
