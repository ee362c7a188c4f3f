"""Before a program imports anything: none of the current folder's modules hides Python's, and Ctrl-C is silent."""

import os
import sys

COMMANDS = ("lrp-ref", "lrp-ref.exe", "lrp-ref-script.py")   # what pip calls them


def as_program() -> bool:
    """Whether this is imported for `python -m lrp_ref`, or for the command `lrp-ref`."""
    if sys.argv[:1] == ["-m"]:   # as long as the module is looked for, whose name stands before the arguments
        return sys.orig_argv[len(sys.orig_argv) - len(sys.argv)].removeprefix("-m") == "lrp_ref"
    return os.path.basename("".join(sys.argv[:1])) in COMMANDS


def begin() -> None:
    """Until `command.cli` says how to leave, there is nothing to tidy up: Ctrl-C ends the program without a word."""
    if not sys.flags.safe_path and sys.argv[:1] == ["-m"] and current_folder() in sys.path[:1]:
        sys.path.append(sys.path.pop(0))
    import signal  # Python's own, from here on

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def current_folder() -> str:
    """Its path, or "" where it has been deleted."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def search(folder: str) -> None:
    """Modules of this folder are found too: before installed ones, and none in place of Python's own, such as html."""
    library = os.path.dirname(os.__file__)
    sys.path[:] = [path for path in sys.path if path != folder]
    own = [n for n, path in enumerate(sys.path) if path in (library, os.path.join(library, "lib-dynload"))]
    sys.path.insert(max(own, default=-1) + 1, folder)
