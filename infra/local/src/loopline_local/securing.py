"""`loopline up --secure`: certificates for every door and the bus, shown by both sides, and credentials for each service.

What production does, on this machine: the same settings, the same files, made by `loopline certs dev` and `loopline credentials make`.
"""

from dataclasses import dataclass
from pathlib import Path

from loopline_local import certificates
from loopline_nats.credentials import FILE, Authority
from loopline_runtime.errors import Conflict
from loopline_runtime.settings import Nats
from loopline_runtime.tls import Tls

DAYS = 30
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Security:
    """Where a line's files lie; without `on` there are none, and everything is plain."""

    home: Path
    on: bool

    @property
    def certs(self) -> Path:
        """`loopline certs dev --into` this folder renews them under the running line."""
        return self.home / "certs"

    @property
    def keys(self) -> Path:
        """`loopline credentials ... --authority` this folder."""
        return self.home / "keys"

    @property
    def caller(self) -> Tls:
        """Whom to trust and what to show, for all who call."""
        return self._shown("caller") if self.on else Tls()

    def make(self) -> None:
        """New certificates; credentials as this release needs them, by the authority that is kept."""
        if not self.on:
            return
        certificates.make(self.certs, certificates.HOSTS, DAYS)
        if not (self.keys / FILE).exists():
            Authority.made(self.keys)
        Authority(self.keys).give_all()

    def of_bus(self) -> str:
        """Lines of nats-server's configuration."""
        if not self.on:
            return ""
        door = self._shown("door")
        files = f'cert_file: "{door.certificate}", key_file: "{door.key}", ca_file: "{door.ca}", verify: true'
        return f'tls {{ {files} }}\ninclude "{self.keys.name}/server.conf"\n'

    def of_service(self, name: str) -> dict[str, str]:
        """A service's variables."""
        if not self.on:
            return {}
        found = {"NATS__CREDENTIALS": str(self._credentials(name))}
        for prefix, tls in (("GRPC__TLS", self._shown("door")), ("PEERS", self.caller), ("NATS__TLS", self.caller)):
            found |= {f"{prefix}__{part.upper()}": path for part, path in tls.model_dump(mode="json").items()}
        return found

    def of_profile(self) -> dict[str, object]:
        """For the command: what `line.json` says besides."""
        if not self.on:
            return {}
        return {"nats_credentials": str(self._credentials(OPERATOR)), "tls": self.caller.model_dump(mode="json")}

    def bus(self, url: str, connect_s: float) -> Nats:
        """How the supervisor itself comes to the bus."""
        return Nats(
            url=url,
            connect_s=connect_s,
            credentials=self._credentials(OPERATOR) if self.on else None,
            tls=self.caller,
        )

    def _credentials(self, name: str) -> Path:
        return self.keys / f"{name}.creds"

    def _shown(self, name: str) -> Tls:
        folder = self.certs
        return Tls(ca=folder / "ca.pem", certificate=folder / f"{name}.pem", key=folder / f"{name}.key")


def secured(home: Path, *, wanted: bool) -> bool:
    """Whether this line is, from its first `up` on: the bus keeps the data of each account apart. Conflict for one with plain data."""
    if (home / "keys" / FILE).exists():
        return True
    if wanted and (home / "data" / "nats" / "jetstream").exists():
        raise Conflict(
            f"the line in {home} was begun without --secure, and its bus would not find its data: give another --home"
        )
    return wanted
