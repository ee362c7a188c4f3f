"""lrp-ref: one command is run, what it says is printed, and the program ends with 0, 1 or 2."""

from __future__ import annotations

import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from signal import SIGINT

from lrp_ref.command.failed import Failed, Unwritten
from lrp_ref.command.leaving import stoppable
from lrp_ref.command.options import parser
from lrp_ref.entry import current_folder
from lrp_ref.hints import Watch, brief, printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 1 where what it checked failed, 2 with one line on stderr for a wrong input, 128
    and a signal's number where one ends it.

    Files are written first, then notes go to stderr and the text to stdout: a reader who closes the pipe
    early loses nothing, and where there is an error, it is all that is printed, unless only a file was not written.
    """
    try:
        with stoppable():
            return one_command(arguments)
    except KeyboardInterrupt as stopped:
        say("; ".join([str(stopped) or "interrupted", *getattr(stopped, "__notes__", [])]))
        return 128 + getattr(stopped, "number", SIGINT)


def one_command(arguments: Sequence[str] | None) -> int:
    """The exit code of one command, which nobody interrupts."""
    try:
        options = parsed(arguments)
        if not current_folder():
            raise ValueError("the current folder has been deleted: go into another one (cd)")
        with warnings.catch_warnings(record=True) as notes, progress() as watch:
            warnings.simplefilter("ignore")   # NumPy's, which are followed by an error that says more
            warnings.simplefilter("always", UserWarning)
            text = run(options, watch)
        for note in notes:
            say(f"note: {note.message}")
        show(text + "\n", getattr(text, "drawing", ""))
    except Failed as failed:
        show(f"{failed}\n")
        return 1
    except Unwritten as error:
        show(f"{error.printed}\n")
        say(f"error: {error}")
        return 2
    except MemoryError as error:
        say(f"error: not enough memory ({error}): use a smaller --size, or smaller or fewer photographs")
        return 2
    except ValueError as error:
        say("; ".join([f"error: {error}", *getattr(error, "__notes__", [])]))
        return 2
    except OSError as error:
        path = "" if error.filename is None else f"cannot use {error.filename}: "
        say(f"error: {path}{error.strerror or error}" + (": choose another path" if path else ""))
        return 2
    return 0


def run(options: Namespace, watch: Watch) -> str:
    """The text that a command prints, after all its files are written; what only it needs is imported for it alone."""
    match options.command:
        case "explain" if options.tokens is not None:
            from lrp_ref.command.tokens import tokens_command as command
        case "explain":
            from lrp_ref.command.explain import explain_command as command
        case "figure":
            from lrp_ref.command.explain import figure_command as command
        case "explore":
            from lrp_ref.command.explore import explore_command as command
        case "sanity":
            from lrp_ref.command.sanity import sanity_command as command
        case "demo":
            from lrp_ref.command.demo import demo_command as command
        case "models":
            from lrp_ref.command.models import models_command as command
        case "layers":
            from lrp_ref.command.models import layers_command as command
        case "evaluate":
            from lrp_ref.command.evaluate import evaluate_command as command
        case "train-fv":
            from lrp_ref.command.train import train_fv_command as command
        case "faithful":
            from lrp_ref.command.faithful import faithful_command as command
        case "report":
            from lrp_ref.command.results_report import report_command as command
        case "selfcheck":
            from lrp_ref.command.selfcheck import selfcheck_command as command
        case "vectors":
            from lrp_ref.command.vectors import vectors_command as command
        case "conform":
            from lrp_ref.command.conform import conform_command as command
        case "compare":
            from lrp_ref.command.conform import compare_command as command
    return command(options, watch)


def parsed(arguments: Sequence[str] | None) -> Namespace:
    try:
        return parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    except SystemExit:   # after --help and --version, whose text may still be on its way
        show("")
        raise


def say(text: str) -> None:
    """One line to stderr, if there is one."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"lrp-ref: {brief(text)}", file=sys.stderr)


def show(text: str, drawing: str = "") -> None:
    """Text to stdout, if there is one and someone reads; what it cannot encode, or would obey, with backslashes.

    drawing: of our own making, for a terminal to obey; printed above the text.
    """
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(drawing.encode(encoding, "replace").decode(encoding))
        sys.stdout.write(printable(text).encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError):   # or what is left in the buffer would fail again when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise ValueError(f"cannot print the result: {error.strerror}: is the disk full?") from None


@contextmanager
def progress() -> Iterator[Watch]:
    """A function that shows a line on stderr where that is a terminal; the line is wiped at the end."""
    shown = sys.stderr is not None and sys.stderr.isatty()

    def watch(text: str) -> None:
        with suppress(OSError):   # of a terminal that has been closed
            if shown:
                print(f"\r\x1b[K{brief(text)[:78]}", end="", file=sys.stderr, flush=True)
    try:
        yield watch
    finally:
        watch("")
