"""Certificates: read again at each handshake, so that a renewed file is served without a restart."""

import ssl
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from loopline_runtime.errors import Unavailable


class Tls(BaseModel):
    """PEM files. `ca`: who is trusted; `certificate` with `key`: who we are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _both(self) -> "Tls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate needs its key, and a key its certificate")
        return self

    @property
    def used(self) -> bool:
        """Whether anything is set."""
        return bool(self.ca or self.certificate)

    def stamp(self) -> tuple[int, ...]:
        """Changes when a file does; 0 for one that is not there."""
        return tuple(
            path.stat().st_mtime_ns if path and path.exists() else 0 for path in (self.ca, self.certificate, self.key)
        )

    def read(self, name: str) -> bytes | None:
        """One of the files, or None when it is not set. Unavailable when it cannot be read."""
        path: Path | None = getattr(self, name)
        if path is None:
            return None
        try:
            return path.read_bytes()
        except OSError as error:
            raise Unavailable(
                f"TLS: {name} {path} cannot be read: {error.strerror}", reason="NO_CERTIFICATE"
            ) from error

    def client_context(self) -> ssl.SSLContext:
        """For connecting; every handshake reads the files anew. Unavailable when they do not fit."""
        self._context()
        fresh = _Fresh(ssl.PROTOCOL_TLS_CLIENT)
        fresh.files = self
        return fresh

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate and self.key:
                context.load_cert_chain(self.certificate, self.key)
        except (ssl.SSLError, OSError) as error:
            raise Unavailable(
                f"TLS: {self.ca or ''} {self.certificate or ''} cannot be used: {error}", reason="NO_CERTIFICATE"
            ) from error
        return context


class _Fresh(ssl.SSLContext):
    """A context that makes a new one of the files for each handshake."""

    files: Tls

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        return self.files._context().wrap_bio(*args, **options)
