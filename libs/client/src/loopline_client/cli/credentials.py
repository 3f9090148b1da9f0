"""`loopline credentials`: who may come onto the bus, and what they may say there."""

from pathlib import Path
from typing import Annotated

import typer

from loopline_client.cli.output import AsJson, as_json, fail, say, table

app = typer.Typer(help="Credentials files for the bus", no_args_is_help=True)
Folder = Annotated[
    Path, typer.Option("--authority", help="The folder `loopline credentials make` wrote; keep it secret")
]


@app.command()
def make(into: Annotated[Path, typer.Option(help="A new folder for the signing keys and the files")]) -> None:
    """Make an authority, the part of nats-server's configuration that trusts it, and a file for each service and the operator."""
    from loopline_nats.credentials import Authority
    from loopline_nats.permissions import SERVICES
    from loopline_runtime.errors import LooplineError

    try:
        authority = Authority.made(into)
        authority.give_all()
    except LooplineError as error:
        fail(str(error))
    say(
        f"nats-server: put {into / 'server.conf'} beside its configuration, with the line `include server.conf` in that"
    )
    say(f"each service its file: NATS__CREDENTIALS={into}/NAME.creds ({', '.join(SERVICES)})")
    say(f"KEDA, to read what waits: account {authority.account}")
    say(f"you: LOOPLINE_NATS_CREDENTIALS={into / 'operator.creds'}")


@app.command("list")
def list_users(authority: Folder, json_: AsJson = False) -> None:
    """List whose credentials are valid."""
    from loopline_nats.credentials import Authority
    from loopline_runtime.errors import LooplineError

    try:
        users = Authority(authority).users()
    except LooplineError as error:
        fail(str(error))
    if json_:
        as_json(users)
        return
    table(["user"], [(user,) for user in users], "nobody has credentials")


@app.command()
def renew(authority: Folder) -> None:
    """Give a new file to each service (and the operator) whose own is missing, revoked, or says less or more than this release needs."""
    from loopline_nats.credentials import Authority
    from loopline_runtime.errors import LooplineError

    try:
        given = Authority(authority).give_all()
    except LooplineError as error:
        fail(str(error))
    for name in given:
        say(f"new: {authority / name}.creds")
    say(
        f"{len(given)} renewed; a service takes its file when it connects"
        if given
        else "all files are as they should be"
    )


@app.command()
def revoke(name: str, authority: Folder) -> None:
    """Cut off every file of a user that was made until now, once nats-server has reloaded its configuration."""
    from loopline_nats.credentials import Authority
    from loopline_runtime.errors import LooplineError

    given = Authority(authority)
    try:
        count = given.revoke(name)
    except LooplineError as error:
        fail(str(error))
    (authority / "server.conf").write_text(given.server_config())
    say(f"{count} revoked; now let nats-server read {authority / 'server.conf'} again (nats-server --signal reload)")
