"""Every photograph of a collection is measured, by whoever is asked to, and kept in a file of results, if given."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from lrp_ref.command.workers import workers
from lrp_ref.hints import Watch
from lrp_ref.paper.precision import Collection
from lrp_ref.paper.record import Record, tasks, unread
from lrp_ref.paper.results import Results, read_results
from lrp_ref.paper.tasks import Make, Progress, run_tasks
from lrp_ref.pictures.refusal import told


def measured_by(options: Namespace, described: dict[str, str], job: Make, tested: Collection, watch: Watch,
                explained_only: bool = False) -> list[Record]:
    """The records of all photographs, by position: those in the file --results are not made again."""
    if not options.results:
        found: dict[int, Record] = {}
        work(options, job, tested, watch, explained_only, set(), lambda one: found.update({one.position: one}))
        return [found[position] for position in sorted(found)]
    with Results(options.results, described) as results:
        before = results.done()
        with going_on(options.results, lambda: len(results.done())):
            work(options, job, tested, watch, explained_only, before, results.add)
    return read_results(options.results)[1]


@contextmanager
def going_on(path: str, count: Callable[[], int]) -> Iterator[None]:
    """What ends the work says how much is kept."""
    try:
        yield
    except BaseException as error:
        with suppress(ValueError):   # a disk that is full may be why
            error.add_note(f"{count()} photographs are in {told(path)}, and the same command goes on from there")
        raise


def work(options: Namespace, job: Make, tested: Collection, watch: Watch, explained_only: bool, before: set[int],
         keep: Callable[[Record], object]) -> None:
    total = len(tested.explain) if explained_only else len(tested.scenes)
    with workers(options) as (executor, ahead):
        progress = Progress(watch, "photographs", total, len(before))

        def done(one: Record) -> None:
            keep(one)
            progress.one_more()

        run_tasks(job, tasks(tested, before, explained_only), done, executor, ahead, unread)
