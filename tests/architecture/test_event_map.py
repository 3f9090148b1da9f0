"""The map of events is true: of the messages, of the streams, and of what services really hear and say."""

import ast
import re
from pathlib import Path

import pytest

from loopline_contracts import channels
from loopline_contracts.channels import CHANNELS, DURABLES, ERASURES, READERS, Channel, Durable, Reader
from loopline_contracts.streams import STREAMS

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir())
NAME_OF = {id(value): name for name, value in vars(channels).items() if isinstance(value, Channel | Durable | Reader)}


def calls(service: str) -> list[ast.Call]:
    sources = (ROOT / "services" / service / "src").rglob("*.py")
    return [
        node for source in sources for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call)
    ]


def first_names(found: list[ast.Call], function: str) -> set[str]:
    named = set()
    for call in found:
        called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if called == function and call.args and isinstance(call.args[0], ast.Name):
            named.add(call.args[0].id)
    return named


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_subject_is_the_message_it_carries(channel: Channel):
    package, _, message = channel.event.DESCRIPTOR.full_name.rpartition(".")
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", message).lower()
    assert channel.subject == f"{package}.{snake}"


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_stream_belongs_to_the_owner_of_its_facts(channel: Channel):
    assert channel.stream.startswith(channel.owner.upper()) or (channel.shared and channel.stream == ERASURES)
    assert channel.stream in {stream.name for stream in STREAMS}


def test_facts_of_a_shared_name_have_one_layout():
    for channel in (channel for channel in CHANNELS if channel.shared):
        first = next(other for other in CHANNELS if other.name == channel.name)
        assert fields(channel) == fields(first)
    names = [channel.name for channel in CHANNELS if not channel.shared]
    assert len(names) == len(set(names))


def fields(channel: Channel) -> list[tuple[object, ...]]:
    return [(f.number, f.name, f.type, f.is_repeated, f.message_type) for f in channel.event.DESCRIPTOR.fields]


def test_streams_share_no_subject():
    subjects = [subject for stream in STREAMS for subject in stream.subjects]
    assert len(subjects) == len(set(subjects))


@pytest.mark.parametrize("durable", DURABLES, ids=lambda durable: durable.name)
def test_a_durable_is_named_by_hearer_and_purpose_and_reads_one_stream(durable: Durable):
    assert durable.hearer in SERVICES
    assert "." not in durable.name
    assert {channel.stream for channel in durable.hears} in ({durable.stream}, set())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_hears_what_the_map_says(service: str):
    assert first_names(calls(service), "hears") == {NAME_OF[id(d)] for d in DURABLES if d.hearer == service}


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_reader_is_named_like_a_durable_and_reads_one_stream(reader: Reader):
    assert reader.hearer in SERVICES
    assert {channel.stream for channel in reader.hears} == {reader.stream}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_what_the_map_says(service: str):
    assert first_names(calls(service), "reads") == {NAME_OF[id(r)] for r in READERS if r.hearer == service}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_the_map_says(service: str):
    assert first_names(calls(service), "Fact") == {NAME_OF[id(c)] for c in CHANNELS if c.owner == service}


@pytest.mark.parametrize("durable", DURABLES, ids=lambda durable: durable.name)
def test_a_replay_reaches_one_durable_alone(durable: Durable):
    """Instead of a header that others must honour, a replay has a subject of its own, which no other hearer listens to."""
    listening = [other.name for other in DURABLES if f"{durable.replay_subject}.>" in other.filters]
    assert listening == ([] if durable.dead_letters else [durable.name])
    keeping = [stream.name for stream in STREAMS if f"{durable.replay_subject}.>" in stream.subjects]
    assert keeping == ([] if durable.dead_letters else [durable.stream])
