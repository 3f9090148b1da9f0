"""Provisioning makes what is missing and leaves alone what an operator decided."""

from loopline_contracts.channels import DURABLES
from loopline_contracts.streams import STREAMS, Bucket
from loopline_nats.line import Line, open_line
from loopline_nats.provision import apply, plan
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
