"""Puts the command together."""

from importlib.metadata import entry_points

import typer

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def main() -> None:
    """The command `loopline`."""
    for entry in entry_points(group="loopline.commands"):
        app.add_typer(entry.load())
    app()
