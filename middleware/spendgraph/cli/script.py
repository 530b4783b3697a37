"""Run somebody's program in this process as `python SCRIPT` or `python -m MODULE` would, and say how it ended."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from spendgraph.cli.options import misused

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph import Refusal

INTERRUPTED = 130

# What follows the script belongs to the script, options included.
PASS_ON = {"allow_interspersed_args": False, "ignore_unknown_options": True}


def find(target: str, *, module: bool) -> None:
    """End with exit code 2 when there is no such script or module.

    A module's parent packages are imported for this, with the working directory first on `sys.path`.
    """
    if not module:
        if not os.path.exists(target):  # noqa: PTH110 -- as given, relative to where the user stands
            misused(f"there is no script {target!r} here; for a module use -m")
        return
    if sys.path[:1] != [""]:
        sys.path.insert(0, "")
    try:
        spec = importlib.util.find_spec(target)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        misused(f"there is no module {target!r} that Python can import from here")


def execute(
    target: str,
    arguments: Sequence[str],
    *,
    module: bool = False,
    refused: Callable[[Refusal], None] | None = None,
) -> int:
    """Run a script or a module under the name `__main__` until it and its threads have ended.

    An exception is reported as Python would report it, from the script's first frame on. A refusal that nobody
    caught is given to `refused` instead, which says it in its own words.

    Returns:
        The exit code `python` would have had.
    """
    before = set(threading.enumerate())
    kept_arguments, kept_path = sys.argv, sys.path[:]
    sys.argv = [target, *arguments]
    # A script's own folder comes first, as for `python SCRIPT`; for -m it is the working directory.
    sys.path.insert(0, "" if module else os.path.dirname(os.path.realpath(target)))  # noqa: PTH120
    try:
        code = _run(target, module=module, refused=refused)
        for thread in threading.enumerate():
            if thread not in before and not thread.daemon:
                thread.join()
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        sys.argv, sys.path[:] = kept_arguments, kept_path
        sys.stdout.flush()
    return code


def _run(target: str, *, module: bool, refused: Callable[[Refusal], None] | None) -> int:
    try:
        if module:
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(target, run_name="__main__")
    except SystemExit as ended:
        return exit_code(ended)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 -- the program's end, whatever it is, is reported and passed on
        from spendgraph import Refusal

        if refused is not None and isinstance(error, Refusal):
            refused(error)
            return 1
        error = error.with_traceback(_own_frames_removed(error.__traceback__))
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def exit_code(ended: SystemExit) -> int:
    """The exit code of `sys.exit(...)`: text goes to stderr and means 1."""
    if ended.code is None:
        return 0
    if isinstance(ended.code, int):
        return ended.code
    print(ended.code, file=sys.stderr)
    return 1


def _own_frames_removed(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name != __file__ and "runpy" not in name:
            return trace
        trace = trace.tb_next
    return None
