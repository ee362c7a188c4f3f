"""lrp-ref faithful: does the score go when the regions go that a map names?"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence

from lrp_ref.command.evaluate import collected, images_asked, labelled, lost
from lrp_ref.command.failed import losing_nothing
from lrp_ref.command.measuring import measured_by
from lrp_ref.command.outputs import dumped, spare
from lrp_ref.command.rule_names import rules_for
from lrp_ref.command.which_model import ready_model
from lrp_ref.command.workers import workers_asked
from lrp_ref.hints import Watch
from lrp_ref.models.bundled import PAPERS
from lrp_ref.paper.faithful import MEASURES, Perturbing, faithfulness_of
from lrp_ref.paper.faithful_plot import faithful_plot
from lrp_ref.paper.faithful_report import faithful_facts, faithful_text
from lrp_ref.paper.precision import knows_all
from lrp_ref.paper.record import Record
from lrp_ref.paper.runs import description, unread_text
from lrp_ref.pictures.picture import image_format, save_image

RULES = ("alphabeta:2,1", "zplus", "epsilon:1e-6", "gamma:0.25")
MOST_REGIONS = 10_000
MOST_RULES = 6


def faithful_command(options: Namespace, watch: Watch) -> str:
    images_asked(options)
    workers_asked(options)
    given, names = options.model or PAPERS, options.rule or RULES
    if not 1 <= options.regions <= MOST_REGIONS:
        raise ValueError(f"got --regions {options.regions}, needed at least 1 and at most {MOST_REGIONS}")
    if len(set(names)) < len(names) or len(names) > MOST_RULES:
        raise ValueError(f"got --rule {len(names)} times, needed at most {MOST_RULES} rules, every one once")
    spare("--results", options.results, *given)
    spare("--output", options.output, *given, *lost(options.output, options.scenes))
    if options.output:
        image_format(options.output)
    models = {name: ready_model(path, options, options.size) for name, path in labelled(given).items()}
    rules = {name: {rule: rules_for(model, model.chain, rule) for rule in names} for name, model in models.items()}
    tested = collected(options, watch, baseline=False)
    for name, model in models.items():
        knows_all(model, tested.classes, name)
    described = description(tested, models, {
        "command": "faithful", "count": str(options.count), "seed": str(options.seed), "set": options.set or "",
        "difficult": options.difficult or "", "truth": options.truth or "", "measures": dumped(list(MEASURES)),
        "rules": dumped(list(names)),
        "fill": options.fill, "regions": str(options.regions)})
    job = Perturbing(models, tested.classes, rules, options.fill, options.regions, options.seed)
    return faithful_report(options, described, measured_by(options, described, job, tested, watch, True), watch)


def faithful_report(options: Namespace, run: Mapping[str, str], records: Sequence[Record], watch: Watch) -> str:
    """What is printed of a run, after the picture is written."""
    names = json.loads(run["rules"])
    found = {name: faithfulness_of(records, name, names, json.loads(run[f"cut-offs of {name}"]))
             for name in json.loads(run["models"])}
    unread = {one.name: one.error for one in records if one.error}
    text = faithful_text(run["images"], int(run["regions"]), run["fill"], found)
    if options.json:
        text = dumped({**faithful_facts(run["images"], found), "output": options.output, "unread": unread})
    elif unread:
        text += "\n\n" + unread_text(unread, int(run["explained"]))
    with losing_nothing(text):
        if options.output:
            watch(f"writing {options.output}")
            save_image(options.output, faithful_plot(found))
    return text if options.json or not options.output else f"{text}\nplot written to {options.output}"
