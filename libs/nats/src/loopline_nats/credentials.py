"""Credentials files for the bus: an authority that signs who may do what, and what the server must know of it.

NATS's decentralised form (operator, account, users; JSON Web Tokens signed with Ed25519): the server knows one public key, so a
user is added without touching it; a credentials file holds the user's token and seed, and any NATS client reads it. Signed here
over the `nkeys` package, since the one library for such tokens in Python calls itself untested and drags pytz and pycryptodome.
"""

import base64
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nkeys

from loopline_nats.permissions import OPERATOR, SERVICES, Permissions, of_service
from loopline_runtime.errors import Conflict, Invalid, NotFound

ACCOUNT, OPERATING, SYSTEM = "LOOPLINE", "loopline", "SYS"
FILE = "authority.json"
UNLIMITED = -1
DAY_S = 86_400


@dataclass(frozen=True)
class Authority:
    """The keys that sign. Whoever has the folder may make any user: keep it where the operator's secrets are."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> "Authority":
        """A new one. Conflict when the folder holds one."""
        if (folder / FILE).exists():
            raise Conflict(f"{folder} holds an authority already; its users would be locked out by a new one")
        folder.mkdir(parents=True, exist_ok=True)
        kinds = {"operator": nkeys.PREFIX_BYTE_OPERATOR, "account": nkeys.PREFIX_BYTE_ACCOUNT}
        seeds = {name: _seed(kind) for name, kind in {**kinds, "system": nkeys.PREFIX_BYTE_ACCOUNT}.items()}
        write_secret(
            folder / FILE, json.dumps({**seeds, "made_at": int(time.time()), "users": {}, "revoked": {}}, indent=1)
        )
        return cls(folder)

    def credentials(self, name: str, permissions: Permissions, *, days: int = 0) -> str:
        """The text of a new user's credentials file; 0 days: until revoked. A name may be given again: both files hold."""
        known = self._read()
        seed = _seed(nkeys.PREFIX_BYTE_USER)
        public = _public(seed)
        claims: dict[str, Any] = {
            "name": name,
            "sub": public,
            "nats": {
                **_both_ways(permissions),
                "subs": UNLIMITED,
                "data": UNLIMITED,
                "payload": UNLIMITED,
                "type": "user",
                "version": 2,
            },
        }
        if days:
            claims["exp"] = int(time.time()) + days * DAY_S
        token = _signed(claims, by=known["account"])
        known["users"].setdefault(name, []).append(public)
        write_secret(self.folder / FILE, json.dumps(known, indent=1))
        return (
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )

    def give_all(self) -> list[str]:
        """A file for the operator and each service, in the folder; who has one that says what is right today keeps it. Names of the others."""
        wanted = {"operator": OPERATOR, **{service: of_service(service) for service in SERVICES}}
        given = [name for name, permissions in wanted.items() if not self._holds(name, permissions)]
        for name in given:
            write_secret(self.folder / f"{name}.creds", self.credentials(name, wanted[name]))
        (self.folder / "server.conf").write_text(self.server_config())
        return given

    def _holds(self, name: str, permissions: Permissions) -> bool:
        """Whether the user's file is not revoked and states exactly these permissions."""
        path = self.folder / f"{name}.creds"
        if not path.exists():
            return False
        body = path.read_text().splitlines()[1].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        said = {way: claims["nats"][way] for way in ("pub", "sub")}
        return said == _both_ways(permissions) and claims["sub"] not in self._read()["revoked"]

    @property
    def account(self) -> str:
        """How nats-server's monitoring (and so KEDA) calls the account that holds the streams."""
        return _public(self._read()["account"])

    def users(self) -> list[str]:
        """Names that were given credentials and not revoked."""
        known = self._read()
        return sorted(name for name, keys in known["users"].items() if set(keys) - set(known["revoked"]))

    def revoke(self, name: str) -> int:
        """All files of a user made until now; holds once the server has read `server_config` again. NotFound without any."""
        known = self._read()
        keys = set(known["users"].get(name, ())) - set(known["revoked"])
        if not keys:
            raise NotFound(f"no credentials of {name} are valid")
        known["revoked"] |= dict.fromkeys(keys, int(time.time()))
        write_secret(self.folder / FILE, json.dumps(known, indent=1))
        return len(keys)

    def server_config(self) -> str:
        """What nats-server's configuration includes; after a revocation it is written anew and the server reloads (SIGHUP)."""
        known = self._read()
        operator = _public(known["operator"])
        accounts = {ACCOUNT: known["account"], SYSTEM: known["system"]}
        public = {name: _public(seed) for name, seed in accounts.items()}
        limits = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), UNLIMITED)
        stores = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer", "max_ack_pending"), UNLIMITED)
        tokens = {}
        for name, key in public.items():
            own = {**limits, "wildcards": True, **(stores if name == ACCOUNT else {})}
            nats: dict[str, Any] = {"limits": own, "type": "account", "version": 2}
            if name == ACCOUNT and known["revoked"]:
                nats["revocations"] = known["revoked"]
            tokens[name] = _signed({"name": name, "sub": key, "nats": nats}, by=known["operator"])
        itself = {"system_account": public[SYSTEM], "type": "operator", "version": 2}
        # Always the same token: a server that runs takes no other operator.
        claims = {"name": OPERATING, "sub": operator, "nats": itself, "iat": known["made_at"]}
        signed = _signed(claims, by=known["operator"])
        preloaded = "".join(f"  {public[name]}: {token}\n" for name, token in tokens.items())
        # A service's token lists its subjects and is longer than the 4 KiB a client may say in one line by default.
        return f"max_control_line: 64KB\noperator: {signed}\nresolver: MEMORY\nresolver_preload: {{\n{preloaded}}}\n"

    def _read(self) -> dict[str, Any]:
        path = self.folder / FILE
        if not path.exists():
            raise NotFound(
                f"{self.folder} holds no authority; make one with `loopline credentials make --into {self.folder}`"
            )
        try:
            known: dict[str, Any] = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise Invalid(f"{path} is unreadable: {error}") from error
        return known


def write_secret(path: Path, text: str) -> None:
    """Whole or not at all, for its owner's eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.replace(path)


def _seed(kind: int) -> str:
    seed: bytes = nkeys.encode_seed(os.urandom(32), kind)
    return seed.decode()


def _public(seed: str) -> str:
    public: bytes = nkeys.from_seed(bytearray(seed.encode())).public_key
    return public.decode()


def _both_ways(permissions: Permissions) -> dict[str, dict[str, list[str]]]:
    return {
        "pub": _listed(permissions.publish, permissions.never_publish),
        "sub": _listed(permissions.subscribe, ()),
    }


def _listed(allow: tuple[str, ...], deny: tuple[str, ...]) -> dict[str, list[str]]:
    return {"allow": list(allow)} | ({"deny": list(deny)} if deny else {})


def _signed(claims: dict[str, Any], *, by: str) -> str:
    """A token of NATS: its id is the hash of the claims without it."""
    claims = {"iat": int(time.time()), **claims, "iss": _public(by)}
    digest = hashlib.sha256(json.dumps(claims).encode()).digest()
    claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
    parts = ({"typ": "JWT", "alg": "ed25519-nkey"}, claims)
    body = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    signature: bytes = nkeys.from_seed(bytearray(by.encode())).sign(body.encode())
    return f"{body}.{_encoded(signature)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
