"""Certificates for tests, as `loopline certs dev` makes them: an authority, and who it signs."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from loopline_runtime.tls import Tls


@dataclass
class Certificates:
    """Files in a folder."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def ca(self) -> Path:
        """Who signs."""
        path = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(path)
        return path

    def issue(self, name: str, *hosts: str, ended: bool = False) -> Tls:
        """A certificate for hosts (default: localhost and 127.0.0.1), written over a former one of that name."""
        ends = datetime.now(UTC) + timedelta(days=-1 if ended else 1)
        made = self.authority.issue_cert(*(hosts or ("localhost", "127.0.0.1")), common_name=name, not_after=ends)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        made.private_key_pem.write_to_path(key)
        certificate.write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
        return Tls(ca=self.ca, certificate=certificate, key=key)
