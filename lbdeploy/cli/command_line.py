"""Runs the command, and turns every end into an exit code. Each command imports what it needs."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.early_words import note_format
from lbdeploy.cli.group import CHANGING, Commands
from lbdeploy.cli.output import show
from lbdeploy.cli.parameters import global_options
from lbdeploy.cli.streams import UnwrittenError, prepare_streams, unwritten
from lbdeploy.common.typed import typed
from lbdeploy.common.version import __version__
from lbdeploy.errors import InterruptedRunError, LbdeployError


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lbdeploy")
@global_options
def cli() -> None:
    """A highly available load balancer for a Kubernetes API: keepalived and haproxy on two or more hosts, over SSH.

    \b
    lbdeploy init                      write a hosts.toml
    lbdeploy check                     is it valid?
    lbdeploy doctor                    is anything in the way?
    lbdeploy plan                      what would change?
    lbdeploy up                        apply it, and verify
    lbdeploy verify                    is all well?
    lbdeploy drill haproxy             what would a failure cost?
    lbdeploy lab up                    a rehearsal: the same nodes, here
    lbdeploy --lab COMMAND             run any command in that lab
    """


def run() -> None:
    """Whatever happens, the process ends with an exit code of the contract, and without a traceback."""
    prepare_streams()
    app = App()
    note_format(app, sys.argv[1:])
    try:
        app.exit_code = _ended(app)
    except KeyboardInterrupt:  # Ctrl-C while the end is being reported
        app.exit_code = app.exit_code or InterruptedRunError.exit_code
    with suppress(OSError, UnwrittenError, KeyboardInterrupt):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(app.exit_code)  # skip the interpreter's clean-up of what ends with the process anyway: 20 ms


def _ended(app: App) -> int:
    """Run the command and report its end; returns the exit code."""
    try:
        app.exit_code = _call(app)
        sys.stdout.flush()
        app.close()
    except BrokenPipeError:  # the reader of standard output has gone, so nothing is reported
        app.close(heard=False)
        return LbdeployError.exit_code
    except UnwrittenError as error:
        app.exit_code = LbdeployError.exit_code
        app.complain(unwritten(error, app.outcome))
        app.close()
    return app.exit_code


def _call(app: App) -> int:
    """Run the command. Raises BrokenPipeError and UnwrittenError where standard output can't be written."""
    try:
        cli.main(prog_name="lbdeploy", obj=app, standalone_mode=False)
    except LbdeployError as error:
        return app.fail(error)
    except click.exceptions.Abort as abort:
        return app.fail(_interrupted(app.command, asked=not isinstance(abort.__cause__, KeyboardInterrupt)))
    except click.ClickException as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError) and not app.for_programs:
            show(error.format_message(), err=True)
            return error.exit_code
        from lbdeploy.cli.failures.usage import in_words

        return app.fail(in_words(error, app.command))
    except (BrokenPipeError, SystemExit):  # click turns a BrokenPipeError into a SystemExit
        raise BrokenPipeError from None
    except UnwrittenError:
        raise
    except Exception as error:
        from lbdeploy.cli.failures.crash import crashed

        return app.fail(crashed(error, app.log))
    return app.exit_code


def _interrupted(command: str, *, asked: bool) -> InterruptedRunError:
    """The error for Ctrl-C, at a question (`asked`) or while the command worked."""
    if asked:
        return InterruptedRunError("interrupted", state="nothing was changed")
    if command not in CHANGING:
        return InterruptedRunError("interrupted", state="no node was changed")
    state = "a node that was being changed, if any was, ends its change or restores what was there, by itself"
    return InterruptedRunError("interrupted", state=state, fix=typed("plan", after=" shows what is left to do"))
