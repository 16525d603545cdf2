"""The `keystead` command.

    dev  env  run                                what somebody needs in the first minute
    init  serve  status  unseal  seal            a server in production steps
    key  principal  token  policy  keyring       what it keeps, through the running server or in this process
    audit  backup  restore  prove  slot          what can be shown, and what must survive

A command imports what it needs when it is called, so that `keystead env` costs no more than reading two files.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from keystead.cli.commands import COMMANDS
from keystead.cli.exits import Exit, NotDone, of_system, report
from keystead.cli.group import Commands, ReaderGone
from keystead.cli.here import About
from keystead.core.errors import KeysteadError

cli = Commands("keystead", COMMANDS, help="Keystead keeps keys, and answers the clients that people already have.")


def run(arguments: Sequence[str]) -> int:
    """Do one command; its exit status (cli.exits). What goes wrong is one line on standard error."""
    try:
        return _run(arguments)
    except (ReaderGone, BrokenPipeError):
        return Exit.READER_GONE


def _run(arguments: Sequence[str]) -> int:
    """The same. Raises ReaderGone; BrokenPipeError where nobody reads what goes wrong."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json = "--json" in before
    about = About()
    try:
        done = cli.main(list(arguments), prog_name="keystead", standalone_mode=False, obj=about)
    except NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        return Exit.USAGE
    except (click.ClickException, KeysteadError, NotDone) as error:
        return report(error, about, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("\n")
        return Exit.INTERRUPTED
    except OSError as error:
        return report(of_system(error), about, as_json=as_json)
    return int(done or Exit.DONE)


def main() -> NoReturn:
    status = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # `status` tells of it already; Python would try again at the end, and make 120 of it
            with suppress(OSError):
                stream.close()
    sys.exit(status)
