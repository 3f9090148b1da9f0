"""Only a whole and no worse version is made to serve; who goes on searching notices nothing; what was removed or added behind our back is seen."""

import asyncio
import itertools
import time
from dataclasses import replace

import pytest

from loopline_retrieval.adapters.fakes import untold
from loopline_retrieval.app import Comparing, Query, Switching
from loopline_retrieval.app import switching as switching_module
from loopline_retrieval.model import Model, Space
from loopline_retrieval.versions import Index, Probe, Relevant, Trial, checked_trial, sha256_of
from loopline_runtime.errors import Aborted, Invalid, NotFound, Rejected

WORDS = ("red", "blue", "tower", "harbour", "captain", "orange", "winter", "bridge")
SHORT = Model("words-first-2", "r1", 2)
PAIRS = list(itertools.permutations(WORDS[:6], 2))
# The vectors see the words in these, BM25 does not.
PROBES = tuple(Probe(f"un{a}ly un{b}ly", (Relevant(document=f"d{n}"),)) for n, (a, b) in enumerate(PAIRS) if n % 2 == 0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(switching_module, "SETTLE_S", 0.3)
    monkeypatch.setattr(switching_module, "DRAIN_S", 0.2)
    monkeypatch.setattr(switching_module, "HEARD_S", 0.1)


@pytest.fixture
def switching(bench) -> Switching:
    return Switching(bench.store, bench.knowledge, bench.serving, Comparing(bench.store, bench.searching), untold)


async def fill(bench, version: str, model: Model | None = None, *, documents: int = len(PAIRS), revision: int = 1):
    """Documents of two words each, in one version."""
    model = model or bench.model
    await bench.indexing.add_plan(Space("acme", "default", version), model)
    for number, (first, second) in list(enumerate(PAIRS))[:documents]:
        coming = bench.batch(f"d{number}", revision)
        coming = replace(coming, space=Space("acme", "default", version), model=model)
        text = f"The {first} stands before the {second} all day long"
        made = [replace(chunk, vector=chunk.vector[: 4 * model.dimension]) for chunk in bench.chunks(coming, text)]
        assert await bench.indexing.index(coming, made)


async def switch(switching: Switching, version: str, **options) -> Index:
    trial = options.pop("trial", Trial(probes=PROBES))
    said = {"by": "ann", "reason": "", "force": False, **options}
    return (await switching.switch("acme", "default", version, trial, **said))[0]


async def test_the_same_again_serves_and_the_change_says_who_why_and_how_well(bench, switching):
    await fill(bench, "v1")
    await fill(bench, "v2")
    index = await switch(switching, "v2", reason="smaller")
    assert (index.serving, index.previous) == ("v2", "v1")
    (change,) = index.changes
    assert (change.by, change.reason, change.forced, change.completeness.behind) == ("ann", "smaller", False, 0)
    assert [metric.difference for metric in change.comparison.metrics] == [0, 0, 0]
    assert change.comparison.overlap == 1
    found = await bench.searching.search(Query("acme", "red", ["default"]))
    assert {one.space.version for one in found.searched} == {"v2"}
    assert (await switch(switching, "v2")).changes == index.changes  # the call was repeated


async def test_a_worse_one_is_refused_unless_forced_with_a_reason(bench, switching):
    await fill(bench, "v1")
    await fill(bench, "v2", SHORT)
    with pytest.raises(Rejected, match=r"v2 is worse than v1: nDCG@10 0\.\d+ against") as refused:
        await switch(switching, "v2")
    assert refused.value.reason == "WORSE"
    assert (await switching.index("acme", "default")).serving == "v1"
    with pytest.raises(Invalid, match="needs a reason"):
        await switch(switching, "v2", force=True)
    index = await switch(switching, "v2", force=True, reason="the disk is full")
    assert index.changes[-1].forced
    assert index.changes[-1].comparison.worse
    better = await switch(switching, "v1")
    assert "is better than" in better.changes[-1].comparison.verdict


async def test_one_that_lacks_a_document_revision_is_refused(bench, switching):
    await fill(bench, "v1")
    await fill(bench, "v2", documents=len(PAIRS) - 1)
    with pytest.raises(Rejected, match=rf"1 of {len(PAIRS)} documents .* d{len(PAIRS) - 1}") as refused:
        await switch(switching, "v2")
    assert refused.value.reason == "INCOMPLETE"
    await fill(bench, "v1", documents=1, revision=2)  # v2 has an older one, and lacks the last
    with pytest.raises(Rejected, match="2 of"):
        await switch(switching, "v2")
    await bench.indexing.forget("acme", "default", f"d{len(PAIRS) - 1}", 9)
    switching_on = asyncio.create_task(switch(switching, "v2"))
    await asyncio.sleep(0.1)
    await fill(bench, "v2", documents=1, revision=2)  # what is on its way is waited for
    assert (await switching_on).serving == "v2"


async def test_of_two_who_switch_at_once_one_wins(bench, switching):
    await fill(bench, "v1")
    await fill(bench, "v2")
    await fill(bench, "v3")
    results = await asyncio.gather(*(switch(switching, name) for name in ("v2", "v3")), return_exceptions=True)
    won = [one for one in results if isinstance(one, Index)]
    lost = [one for one in results if isinstance(one, Aborted)]
    assert (len(won), len(lost)) == (1, 1)
    assert (await switching.index("acme", "default")).serving == won[0].serving


async def test_back_to_the_one_before_at_once_and_only_while_it_is_kept(bench, switching):
    await fill(bench, "v1")
    await fill(bench, "v2")
    with pytest.raises(Rejected, match="no former"):
        await switching.rollback("acme", "default", "v1", by="ann", reason="")
    await switch(switching, "v2")
    with pytest.raises(Aborted, match="v2 of default serves"):
        await switching.rollback("acme", "default", "v1", by="ann", reason="")
    began = time.monotonic()
    index = await switching.rollback("acme", "default", "v2", by="ann", reason="angry users")
    assert time.monotonic() - began < 0.1
    assert (index.serving, index.previous, index.changes[-1].kind) == ("v1", "v2", "rollback")
    repeated = await switching.rollback("acme", "default", "v2", by="ann", reason="angry users")
    assert repeated.serving == "v1"


async def test_what_serves_is_not_dropped_and_what_was_dropped_stays_so(bench, switching):
    await fill(bench, "v1")
    await fill(bench, "v2")
    with pytest.raises(Rejected, match="v1 of default serves") as refused:
        await switching.drop("acme", "default", "v1")
    assert refused.value.reason == "SERVING"
    await switching.drop("acme", "default", "v2")
    await fill(bench, "v2", documents=1)  # a late batch
    await bench.indexing.add_plan(Space("acme", "default", "v2"), bench.model)  # a fact that is heard again
    assert await bench.store.keyword(Space("acme", "default", "v2"), "stands", 5, None, frozenset()) == []
    with pytest.raises(NotFound):
        await switch(switching, "v2")
    await switching.drop("acme", "default", "v2")
    with pytest.raises(NotFound):
        await switching.drop("acme", "default", "v7")
    await switching.ended("acme", "default", "v1")  # said by mistake elsewhere
    assert len((await bench.searching.search(Query("acme", "red", ["default"]))).passages) == 10


async def test_searches_go_on_through_switch_rollback_and_drop(bench, switching):
    await fill(bench, "v1")
    await fill(bench, "v2", SHORT)
    errors, seen = [], set()
    over = asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            found = await bench.searching.search(Query("acme", "red tower", ["default"], k=5))
            seen.add(found.searched[0].space.version)
            if len(found.passages) != 5 or len(found.vector) != 4 * found.searched[0].model.dimension:
                errors.append(found)
            await asyncio.sleep(0)

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    for _ in range(3):
        await switch(switching, "v2", force=True, reason="a trial")
        await asyncio.sleep(0.05)
        await switching.rollback("acme", "default", "v2", by="ann", reason="")
        await asyncio.sleep(0.05)
    await switching.drop("acme", "default", "v2")
    over.set()
    await asyncio.gather(*asking)
    assert errors == []
    assert seen == {"v1", "v2"}


async def test_questions_are_made_of_what_may_be_read_and_the_same_seed_asks_the_same(bench, switching):
    await fill(bench, "v1")
    await fill(bench, "v2")
    trial = Trial(count=30, seed=3)
    first, _ = await switching.compare("acme", "default", "v2", "", trial)
    again, _ = await switching.compare("acme", "default", "v2", "", trial)
    assert first.questions == 30
    assert first.metrics == again.metrics
    for number in range(len(PAIRS)):
        await bench.indexing.change_readers("acme", "default", f"d{number}", frozenset({"bob"}), 9)
    with pytest.raises(Rejected, match="0 known-item questions"):
        await switching.compare("acme", "default", "v2", "", trial)
    asked, _ = await switching.compare("acme", "default", "v2", "", replace(trial, principals=frozenset({"bob"})))
    assert asked.questions == 30


async def test_what_is_held_is_told_by_the_names_of_its_chunks(bench, switching):
    coming = bench.batch("d1", 1)
    await bench.index(coming, "red tower", "blue tower")
    ids = [chunk.chunk_id for chunk in bench.chunks(coming, "red tower", "blue tower")]
    ((held),) = [one async for one in switching.held(coming.space)]
    assert (held.document, held.source, held.revision, held.chunks, held.answers) == ("d1", "d1.md", 1, 2, True)
    assert held.chunks_sha256 == sha256_of(ids)
    await bench.index(bench.batch("d1", 2, 0, 2), "new tower")
    held = sorted([one async for one in switching.held(coming.space)], key=lambda one: one.revision)
    assert [(one.revision, one.chunks, one.answers) for one in held] == [(1, 2, True), (2, 1, False)]
    await switching.clear(coming.space, "d1", 2)
    assert [one async for one in switching.held(coming.space)] == []
    await bench.index(bench.batch("d1", 2, 0, 2), "new tower")
    await bench.index(bench.batch("d1", 2, 1, 2), "old tower")
    assert len((await bench.searching.search(Query("acme", "tower", ["default"]))).passages) == 2


def test_a_trial_that_makes_no_sense_is_told():
    for wrong in (
        Trial(count=0),
        Trial(k=0),
        Trial(tolerance=-1),
        Trial(probes=(Probe("", (Relevant("d"),)),)),
        Trial(probes=(Probe("who?", ()),)),
        Trial(probes=(Probe("who?", (Relevant(),)),)),
    ):
        with pytest.raises(Invalid):
            checked_trial(wrong)
