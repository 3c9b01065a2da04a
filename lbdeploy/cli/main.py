"""The command line: arguments, exit codes, wiring. Each command imports what it needs, so that --help stays fast."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from lbdeploy import __version__, slim
from lbdeploy.cli.app import App
from lbdeploy.cli.group import Commands
from lbdeploy.cli.parameters import (
    Seconds,
    force_option,
    global_options,
    ignore_option,
    in_fleets,
    limit_option,
    lock_option,
    package_options,
)
from lbdeploy.cli.streams import UnwrittenError, prepare_streams, unwritten
from lbdeploy.ending import Ending, changed, planned, verified
from lbdeploy.errors import InterruptedRunError, LbdeployError, UsageError
from lbdeploy.options import Options

if TYPE_CHECKING:
    from lbdeploy.rollout import Run


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


@cli.command()
@limit_option
@ignore_option
@package_options
@global_options
@click.pass_obj
@in_fleets
def plan(app: App, /, limit: tuple[str, ...], ignore: tuple[str, ...], **how: Any) -> None:
    """Show what `up` would do, with a diff for each file.

    Shows files, packages, kernel settings, services, and the order of the nodes; changes nothing. Exit code 3: changes
    are pending.

    \b
    lbdeploy plan
    lbdeploy plan --limit lb2          for one node only
    lbdeploy --json plan | jq '.changes'   for scripts
    """
    options = Options(limit=app.limit(limit), ignore=ignore, **how)
    with running(app, options) as run:
        outcome = run.plan()
    end(app, planned(outcome), lambda: app.reporter.plan(outcome.plan, then=f"lbdeploy up{options.typed}"))


@cli.command()
@limit_option
@ignore_option
@click.option("--ask", is_flag=True, help="Show the plan, and ask before anything is changed.")
@package_options
@lock_option
@force_option
@global_options
@click.pass_obj
@in_fleets
def up(app: App, /, limit: tuple[str, ...], ignore: tuple[str, ...], ask: bool, **how: Any) -> None:
    """Apply hosts.toml, node by node, and verify.

    Changes only what differs from hosts.toml. On a live cluster, the nodes that hold no VIP go first, one at a time. A
    change stays only if all is well afterwards and a new connection confirms it; otherwise the node undoes it by
    itself. Asks nothing unless --ask is given. Ctrl-C stops after the current node; pressed twice, at once.

    \b
    lbdeploy up
    lbdeploy up --ask                  show the plan, and ask
    lbdeploy --lab up                  in the rehearsal lab, not on the real nodes
    """
    with running(app, Options(limit=app.limit(limit), ignore=ignore, **how), everyone=True) as run:
        outcome = run.up((lambda plan: approve(app, plan)) if ask else None)
    end(app, changed(outcome), lambda: app.reporter.up(outcome))


@cli.command()
@limit_option
@click.option(
    "--wait", type=Seconds(0, 3600), default=0.0, metavar="SECONDS", help="How long to wait for it to become healthy."
)
@global_options
@click.pass_obj
@in_fleets
def verify(app: App, limit: tuple[str, ...], wait: float) -> None:
    """Check the cluster as it runs, and say who holds the VIPs.

    Checks VIP placement from `ip a`, services, files and kernel settings, servers from haproxy's `show stat`, and
    whether the API answers through each VIP. Exit code 6: not healthy.

    \b
    lbdeploy verify
    lbdeploy verify --wait 60          after a change, which may take a moment
    lbdeploy --json verify | jq '.vips'    for scripts
    """
    with running(app, Options(limit=app.limit(limit))) as run:
        outcome = run.verify(wait)
    end(app, verified(outcome), lambda: app.reporter.verdict(outcome.verdict))


@contextmanager
def running(app: App, options: Options, *, everyone: bool = False) -> Iterator[Run]:
    """A run on the nodes; what it and its report need is imported while the connections are being made.

    `everyone`: the nodes that are not to be changed are looked at, too.
    """
    from lbdeploy.fleet import Fleet

    with Fleet(app.cluster, app.emit, ssh=app.ssh, limit=() if everyone else options.limit) as fleet:
        from lbdeploy.rollout import Run

        run = Run(app.cluster, fleet, app.emit, app.origin, options)
        app.reporter.prepare()
        yield run


def approve(app: App, plan: Any) -> bool:
    """Show a plan, and ask. Raises UsageError where nobody can be asked."""
    app.reporter.plan(plan)
    if not sys.stdin.isatty():
        raise UsageError("--ask needs a terminal", state="nothing was changed", fix="lbdeploy up, without --ask")
    return click.confirm("Make these changes?", err=True)


def end(app: App, ending: Ending, tell: Callable[[], None]) -> None:
    """End a command: `tell` says what was found, and what went wrong is told after that, if it was not by then."""
    app.outcome = ending.exit_code
    tell()
    if ending.error:
        (app.write_down if ending.told else app.complain)(ending.error)
    app.finish(ending.exit_code, **ending.document)


def main() -> None:
    """The console script. Every way out has an exit code of the contract, and none of them is a traceback."""
    gc.disable()  # a short run's garbage is not worth the looking for it
    slim.lean = True  # and here, nobody else uses our libraries
    prepare_streams()
    app = App()
    app.json = "--json" in sys.argv
    try:
        app.exit_code = _ended(app)
    except KeyboardInterrupt:  # at its last words
        app.exit_code = app.exit_code or InterruptedRunError.exit_code
    with suppress(OSError, UnwrittenError, KeyboardInterrupt):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(app.exit_code)  # what ends with the process anyway is not taken down piece by piece first: 20 ms


def _ended(app: App) -> int:
    """The exit code, once all has been said."""
    try:
        app.exit_code = _call(app)
        sys.stdout.flush()
        app.close()
    except BrokenPipeError:  # whoever read the output has left, and is told nothing
        app.close(heard=False)
        return LbdeployError.exit_code
    except UnwrittenError as error:
        app.exit_code = LbdeployError.exit_code
        app.complain(unwritten(error, app.outcome))
        app.close()
    return app.exit_code


def _call(app: App) -> int:
    """Raises BrokenPipeError and UnwrittenError where standard output can't be written."""
    try:
        cli.main(prog_name="lbdeploy", obj=app, standalone_mode=False)
    except LbdeployError as error:
        return app.fail(error)
    except click.exceptions.Abort as abort:
        return app.fail(_interrupted(begun=isinstance(abort.__cause__, KeyboardInterrupt)))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        return app.fail(UsageError(error.format_message(), fix=f"lbdeploy {app.command} --help".replace("  ", " ")))
    except (BrokenPipeError, SystemExit):  # click makes the one of the other
        raise BrokenPipeError from None
    except UnwrittenError:
        raise
    except Exception as error:
        from lbdeploy.cli.crash import crashed

        return app.fail(crashed(error, app.log))
    return app.exit_code


def _interrupted(*, begun: bool) -> InterruptedRunError:
    """Ctrl-C in a run, or (not `begun`) at a question."""
    if not begun:
        return InterruptedRunError("interrupted", state="nothing was changed")
    state = "a node that was being changed, if any was, ends its change or restores what was there, by itself"
    return InterruptedRunError("interrupted", state=state, fix="lbdeploy plan shows what is left to do")
