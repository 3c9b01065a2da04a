"""`lbdeploy completion`: the script by which a shell completes commands, options and the names in hosts.toml."""

from __future__ import annotations

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.output import show
from lbdeploy.cli.parameters import global_options

# The variable by which the script asks lbdeploy for completions; click derives it from the program's name.
VARIABLE = "_LBDEPLOY_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@global_options
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    It completes commands, options, and the nodes, servers and networks of the hosts.toml in use.

    \b
    eval "$(lbdeploy completion bash)"     in ~/.bashrc
    eval "$(lbdeploy completion zsh)"      in ~/.zshrc, after compinit
    lbdeploy completion fish | source      in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind
    script = kind(context.find_root().command, {}, "lbdeploy", VARIABLE).source()
    if shell == "fish":  # click's script for fish would cut off what comes after the first comma of NODE,NODE
        script = script.replace('string split ","', 'string split --max 1 ","')
    app = context.ensure_object(App)
    if app.json:
        app.finish(0, script=script)
    else:
        show(script)
