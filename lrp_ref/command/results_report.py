"""lrp-ref report: what is in a file of results, finished or not."""

from __future__ import annotations

from argparse import Namespace

from lrp_ref.command.evaluate import report_of
from lrp_ref.command.faithful import faithful_report
from lrp_ref.command.outputs import spare, writes_arrays
from lrp_ref.hints import Watch
from lrp_ref.paper.results import read_results
from lrp_ref.pictures.picture import image_format


def report_command(options: Namespace, watch: Watch) -> str:
    spare("--output", options.output, options.results)
    writes_arrays(options.save, options.results)
    if options.output:
        image_format(options.output)
    run, records = read_results(options.results)
    total = int(run["explained" if run["command"] == "faithful" else "photographs"])
    if not any(not one.error for one in records):
        raise ValueError(f"{options.results} has no photograph yet of {total}: wait for the first")
    options.plot = options.output
    if run["command"] == "faithful":
        found = faithful_report(options, run, records, watch)
    else:
        found = report_of(options, run, records, watch)
    if options.json or len(records) >= total:
        return found
    return f"so far {len(records)} of {total} photographs\n\n{found}"
