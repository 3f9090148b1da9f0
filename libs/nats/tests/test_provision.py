"""Provisioning makes what is missing and leaves alone what an operator decided."""

import pytest
from pydantic import SecretStr

from loopline_contracts.channels import DURABLES
from loopline_contracts.streams import STREAMS, Bucket
from loopline_nats.access import KeyRing
from loopline_nats.line import Line, open_line
from loopline_nats.provision import apply, plan
from loopline_nats.provisioning import provision
from loopline_nats.settings import Provision
from loopline_runtime.access import Right, hash_of
from loopline_runtime.errors import Invalid
from loopline_testing.fixtures import SCALE, bus_settings
from loopline_testing.nats import NatsServer


async def test_an_empty_bus_gets_everything_and_a_second_run_changes_nothing(bus: NatsServer):
    async with open_line(bus_settings(bus), "operator") as line:
        made = await apply(line, scale=SCALE)
        assert len(made) == len(STREAMS) + len(DURABLES) + len(Bucket)
        assert {difference.action for difference in made} == {"create"}
        assert await apply(line, scale=SCALE) == []


async def test_what_an_operator_set_is_told_and_kept(line: Line):
    config = (await line.jetstream.stream_info("INGESTION_BATCHES")).config
    config.max_age = 3 * 86_400
    await line.jetstream.update_stream(config)
    differences = await apply(line, scale=SCALE)
    assert [(d.name, d.field, d.action) for d in differences] == [("INGESTION_BATCHES", "max_age", "keep")]
    assert (await line.jetstream.stream_info("INGESTION_BATCHES")).config.max_age == 3 * 86_400


async def test_a_new_versions_subjects_are_added(line: Line):
    config = (await line.jetstream.stream_info("INGESTION")).config
    config.subjects = [subject for subject in config.subjects or () if "plan_added" not in subject]
    await line.jetstream.update_stream(config)
    assert [(d.field, d.action) for d in await plan(line, scale=SCALE)] == [("subjects", "update")]
    await apply(line, scale=SCALE)
    assert await plan(line, scale=SCALE) == []


async def test_the_step_before_all_services_admits_the_keys_they_are_given(bus: NatsServer):
    wanted = Provision(scale=SCALE, service_key=SecretStr("5" * 64), admin_key=SecretStr("a" * 64))
    async with open_line(bus_settings(bus), "operator") as line:
        made = await provision(line, wanted)
        assert [sentence for sentence in made if sentence.startswith("create key")] == [
            "create key service of tenant system",
            "create key admin of tenant local",
        ]
        assert await provision(line, wanted) == []
        async with KeyRing.watching(line) as ring:
            service, admin = ring.find(hash_of("5" * 64)), ring.find(hash_of("a" * 64))
        assert service
        assert admin
        assert (service.tenant, service.allows(Right.ACT_FOR), service.allows(Right.WRITE)) == ("system", True, False)
        assert (admin.tenant, admin.allows(Right.ADMIN)) == ("local", True)
        with pytest.raises(Invalid, match="fewer than 32"):
            await provision(line, Provision(scale=SCALE, service_key=SecretStr("short")))
