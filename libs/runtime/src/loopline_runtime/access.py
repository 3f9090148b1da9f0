"""Who calls, and what they may do."""

import hashlib
import secrets
from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

TENANT_PATTERN = "^[a-z0-9][a-z0-9-]{0,62}$"


class Right(StrEnum):
    """READ < WRITE < ADMIN; ACT_FOR lets a service name the tenant it works for."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    ACT_FOR = "act-for"


_IMPLIED = {
    Right.READ: {Right.READ},
    Right.WRITE: {Right.READ, Right.WRITE},
    Right.ADMIN: {Right.READ, Right.WRITE, Right.ADMIN},
    Right.ACT_FOR: {Right.ACT_FOR},
}


class Key(BaseModel):
    """An API key as it is kept: never the key itself, only its SHA-256."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, max_length=64)
    tenant: str = Field(pattern=TENANT_PATTERN)
    rights: frozenset[Right]
    created_at: str
    # First characters of the key, so that a person can tell two apart.
    hint: str

    def allows(self, right: Right) -> bool:
        """Whether one of the rights is, or includes, `right`."""
        return allows(self.rights, right)


def allows(rights: Iterable[Right], right: Right) -> bool:
    """Whether one of `rights` is, or includes, `right`."""
    return any(right in _IMPLIED[held] for held in rights)


class Keys(Protocol):
    """Where keys are looked up; a revoked key is gone from it within a second."""

    def find(self, hashed: str) -> Key | None:
        """The key with this SHA-256 (hex)."""
        ...


class Caller(BaseModel):
    """On whose behalf a call is made."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    rights: frozenset[Right]
    key_name: str

    def allows(self, right: Right) -> bool:
        """Whether one of the rights is, or includes, `right`."""
        return allows(self.rights, right)


def new_key() -> str:
    """256 random bits, with a prefix that secret scanners can recognise."""
    return f"ll_{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> str:
    """How a key is named where it is kept."""
    return hashlib.sha256(key.encode()).hexdigest()
