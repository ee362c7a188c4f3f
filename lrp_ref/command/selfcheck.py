"""lrp-ref selfcheck: every claim of this project proved again on this machine."""

from __future__ import annotations

from argparse import Namespace

from lrp_ref.checks.claims import selfcheck
from lrp_ref.command.failed import Failed
from lrp_ref.command.outputs import dumped
from lrp_ref.hints import Watch


def selfcheck_command(options: Namespace, watch: Watch) -> str:
    outcomes = selfcheck.selfcheck(options.full, watch)
    printed = dumped(selfcheck.facts(outcomes)) if options.json else selfcheck.text(outcomes)
    if selfcheck.failed(outcomes):
        raise Failed(printed)
    return printed
