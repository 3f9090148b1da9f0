"""`loopline certs dev`: an authority and certificates for trying TLS out, by trustme. Not for production: the authority's key is not kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import trustme
import typer

app = typer.Typer(help="Certificates", no_args_is_help=True)
HOSTS = ("localhost", "127.0.0.1", "::1")


@app.callback()
def certs() -> None:
    """Certificates for trying TLS out."""


@app.command()
def dev(
    into: Annotated[Path, typer.Option(help="The folder for the files")],
    host: Annotated[list[str] | None, typer.Option(help="A name or address of the doors; may be given again")] = None,
    days: Annotated[int, typer.Option(min=1, help="How long they hold")] = 30,
) -> None:
    """Make ca.pem, door.pem with door.key (for services and nats-server) and caller.pem with caller.key (for mTLS).

    Run it again to renew all of them: doors and callers that run take the new files without a restart.
    """
    made = make(into, (*HOSTS, *(host or ())), days)
    door, caller, ca = made / "door", made / "caller", made / "ca.pem"
    typer.echo(
        f"each service: GRPC__TLS__CERTIFICATE={door}.pem GRPC__TLS__KEY={door}.key PEERS__CA={ca} NATS__TLS__CA={ca}"
    )
    typer.echo(f"with mTLS also: GRPC__TLS__CA={ca} PEERS__CERTIFICATE={caller}.pem PEERS__KEY={caller}.key")
    typer.echo(f'nats-server: tls {{ cert_file: "{door}.pem", key_file: "{door}.key" }}')
    typer.echo(f"this command: LOOPLINE_CA={ca}")


def make(into: Path, hosts: tuple[str, ...], days: int) -> Path:
    """Writes the files, keys for their owner's eyes only, and returns the folder."""
    into.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="Loopline, for trying out")
    ends = datetime.now(UTC) + timedelta(days=days)
    for name in ("door", "caller"):
        issued = authority.issue_cert(*hosts, common_name=name, not_after=ends)
        _write(into / f"{name}.key", issued.private_key_pem.bytes(), mode=0o600)
        _write(into / f"{name}.pem", b"".join(part.bytes() for part in issued.cert_chain_pems))
    _write(into / "ca.pem", authority.cert_pem.bytes())
    return into.absolute()


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Whole or not at all: a door may be reading it."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.touch(mode=mode)
    unfinished.write_bytes(data)
    unfinished.replace(path)
