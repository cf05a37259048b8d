"""The ``kinelex`` command: one file per subcommand, each imported only when it is called."""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError

import kinelex
from kinelex.errors import KinelexError, UnknownName

COMMANDS: Final = {
    "demo": ("kinelex.cli.demo:demo", "Recognize real smartwatch recordings by words the model was never trained on."),
    "predict": ("kinelex.cli.predict:predict", "Say which activity, when and how sure, for a recording."),
    "index": ("kinelex.cli.index:app", "Keep examples that a model remembers: build, add, search, verify."),
    "gate": ("kinelex.cli.gate:app", "Learn when a memory is to be trusted more than words; look at that, or drop it."),
    "inspect": ("kinelex.cli.inspect:inspect", "Show what was understood of a file: rate, units, placement, quality."),
    "datasets": ("kinelex.cli.datasets:app", "Import, list and describe public data sets."),
    "pretrain": ("kinelex.cli.pretrain:pretrain", "Teach an encoder signal without labels, for train to begin with."),
    "train": ("kinelex.cli.train:train", "Train a model as a recipe says; the same call resumes it."),
    "ablate": ("kinelex.cli.ablate:ablate", "Train variants of a recipe and tell them apart on sets they leave out."),
    "backbone": ("kinelex.cli.backbone:app", "List encoders that retrieval can stand on, and fit some of them."),
    "evaluate": ("kinelex.cli.evaluate:app", "Measure a model on a data set, as a protocol says."),
    "doctor": ("kinelex.cli.doctor:doctor", "Check this installation: versions, model, text encoder, folders."),
}
"""Each subcommand: where it lives, and its line in the list of commands."""

INTERRUPTED = 130
BROKEN_PIPE = 141


def command_line(tokens: Sequence[str] = ()) -> App:
    """The parser for a call with these words.

    The list of commands needs a line for each without importing any; a command's own help comes from its docstring,
    which such a line would replace. So the lines are given only when the first word is no command.

    Raises:
        UnknownName: the first word is neither a command nor an option.
    """
    if tokens and not tokens[0].startswith("-") and tokens[0] not in COMMANDS:
        near = difflib.get_close_matches(tokens[0], COMMANDS, n=1)
        raise UnknownName(
            f"kinelex has no command '{tokens[0]}': " + (f"did you mean '{near[0]}'?" if near else "see kinelex --help")
        )
    app = App(
        name="kinelex",
        help="Wearable-motion recordings into words.",
        version=kinelex.__version__,
        result_action="return_int_as_exit_code_else_zero",
        suppress_keyboard_interrupt=False,
    )
    listing = not tokens or tokens[0] not in COMMANDS
    for name, (target, line) in COMMANDS.items():
        app.command(target, name=name, help=line if listing else None)
    return app


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        tokens: the words after ``kinelex``; the process's own when left out.

    Returns:
        0, what the command returned, the exit code of the `KinelexError` that ended it, 2 for a call that was not
        understood, 1 for trouble with a file or folder, 130 after Ctrl-C, 141 when the reader of the output left.
    """
    tokens = sys.argv[1:] if tokens is None else list(tokens)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        code = int(command_line(tokens)(tokens, exit_on_error=False))
        sys.stdout.flush()
        return code
    except CycloptsError:
        return 2  # cyclopts has printed what was wrong
    except KinelexError as error:
        return _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        return _say(f"'{error.filename}': {error.strerror}" if error.filename else str(error), 1)


def _say(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
