"""The agreed answers of the canaries, as vectors; and which answers were given to canaries, since they are no traffic."""

import json
from collections import deque

MOST_GIVEN = 500


Place = tuple[str, str, str]


class Golden:
    """By tenant, collection and question."""

    def __init__(self) -> None:
        self._vectors: dict[Place, bytes] = {}
        self._given: deque[str] = deque(maxlen=MOST_GIVEN)
        self._changed: dict[tuple[str, str], bytes | None] = {}

    def given(self, answer_id: str) -> None:
        """This answer was given to a canary."""
        self._given.append(answer_id)
        self._changed["golden", "given"] = json.dumps(list(self._given)).encode()

    def gave(self, answer_id: str) -> bool:
        """Whether this answer was given to a canary, lately."""
        return answer_id in self._given

    def get(self, place: Place) -> bytes | None:
        """The agreed answer's vector, little-endian float32; None before there is one."""
        return self._vectors.get(place)

    def put(self, place: Place, vector: bytes) -> None:
        """This answer is the agreed one."""
        self._vectors[place] = vector
        self._changed["golden", "\x1f".join(place)] = vector

    def forget(self, tenant: str, collection: str) -> None:
        """The next answers are agreed anew; "": of every collection."""
        for place in [p for p in self._vectors if p[0] == tenant and collection in ("", p[1])]:
            del self._vectors[place]
            self._changed["golden", "\x1f".join(place)] = None

    def changes(self) -> dict[tuple[str, str], bytes | None]:
        """What is to be kept since this was asked last."""
        changed, self._changed = self._changed, {}
        return changed

    def restore(self, identity: str, vector: bytes) -> None:
        """One back."""
        if identity == "given":
            self._given.extend(json.loads(vector))
            return
        tenant, collection, question = identity.split("\x1f", 2)
        self._vectors[tenant, collection, question] = vector
