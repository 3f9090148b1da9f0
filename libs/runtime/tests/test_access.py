"""What rights include."""

import pytest

from loopline_runtime.access import Caller, Key, Right, hash_of, new_key


@pytest.mark.parametrize(
    ("held", "allowed"),
    [
        (Right.READ, {Right.READ}),
        (Right.WRITE, {Right.READ, Right.WRITE}),
        (Right.ADMIN, {Right.READ, Right.WRITE, Right.ADMIN}),
        (Right.ACT_FOR, {Right.ACT_FOR}),
    ],
)
def test_admin_includes_write_includes_read_and_nothing_includes_act_for(held: Right, allowed: set[Right]) -> None:
    key = Key(name="k", tenant="acme", rights=frozenset({held}), created_at="", hint="ll_")
    who = Caller(tenant="acme", rights=frozenset({held}), key_name="k")
    assert {right for right in Right if key.allows(right)} == allowed
    assert {right for right in Right if who.allows(right)} == allowed


def test_keys_are_long_differ_and_are_kept_hashed() -> None:
    one, other = new_key(), new_key()
    assert one != other
    assert one.startswith("ll_")
    assert len(one) >= 43
    assert one not in hash_of(one)
