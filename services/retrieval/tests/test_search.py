"""What a search finds, and what it must not."""

import pytest

from loopline_retrieval.adapters.fakes import FakeQuestions
from loopline_retrieval.adapters.reranker_sentences import SentenceReranker
from loopline_retrieval.app import Query, Searching
from loopline_runtime.errors import Invalid, NotFound


def asked(question="tower", collections=("default",), **query) -> Query:
    return Query(query.pop("tenant", "acme"), question, list(collections), **query)


async def texts(bench, *args, **query) -> list[str]:
    return [passage.text for passage in (await bench.searching.search(asked(*args, **query))).passages]


@pytest.fixture
async def filled(bench):
    await bench.index(bench.batch("d1", 1, author="Ann", year="2019"), "the red tower of the harbour")
    await bench.index(bench.batch("d2", 2, author="Bob", year="2021"), "the blue bridge in winter")
    await bench.index(bench.batch("d3", 3, year="new"), "captain of an orange boat")
    await bench.index(bench.batch("x1", 4, tenant="other"), "the red tower of another tenant")
    await bench.index(bench.batch("m1", 5, collection="manuals"), "how to paint a tower red")
    return bench


async def test_the_best_passage_comes_first_with_its_scores(filled):
    result = await filled.searching.search(asked("Which tower is red?", k=2))
    best = result.passages[0]
    assert (best.document, best.source, best.title, best.place.page) == ("d1", "d1.md", "D1", 1)
    assert best.scores.keyword == 1.0
    assert best.scores.fused == pytest.approx(0.7 * best.scores.cosine + 0.3)
    assert len(result.passages) == 2
    assert result.searched[0].space.version == "v1"


async def test_several_collections_are_one_ranking(filled):
    found = await texts(filled, "red tower", ("manuals", "default"), k=2)
    assert set(found) == {"how to paint a tower red", "the red tower of the harbour"}


async def test_another_tenants_passages_are_never_found(filled):
    assert "another" not in " ".join(await texts(filled, "red tower another tenant", k=50))
    with pytest.raises(NotFound):
        await texts(filled, tenant="other", collections=("manuals",))


@pytest.mark.parametrize(
    ("filter_", "documents"),
    [
        ('author = "Ann"', {"d1"}),
        ('author != "Ann"', {"d2"}),
        ('not author = "Ann"', {"d2", "d3"}),
        ("year >= 2020", {"d2"}),
        ("year < 2020 or year > 2020", {"d1", "d2"}),
        ('year = "new"', {"d3"}),
        ('author in ("Ann", "Bob") and not (year = 2021)', {"d1"}),
        ('author not in ("Ann")', {"d2", "d3"}),
        ("exists(author)", {"d1", "d2"}),
        ('source = "d3.md"', {"d3"}),
        ('document_id in ("d1", "d3")', {"d1", "d3"}),
        ('author = "x\' or 1=1 --"', set()),
        ('$ = "a"', None),
    ],
)
async def test_filters(filled, filter_, documents):
    if documents is None:
        with pytest.raises(Invalid, match="column 1"):
            await texts(filled, filter=filter_)
        return
    result = await filled.searching.search(asked("tower bridge captain", filter=filter_))
    assert {passage.document for passage in result.passages} == documents


async def test_a_filter_still_fills_k(bench):
    for number in range(150):
        await bench.index(bench.batch(f"t{number}", number + 1, keep="no"), "red tower")
    await bench.index(bench.batch("last", 500, keep="yes"), "winter")
    assert await texts(bench, "red tower", filter='keep = "yes"') == ["winter"]


@pytest.mark.parametrize(
    "query", [{"question": "  "}, {"k": 101}, {"k": 10_000}, {"collections": ()}, {"question": "x" * 9000}]
)
async def test_what_is_misshapen_is_told(filled, query):
    with pytest.raises(Invalid):
        await texts(filled, **query)


async def test_an_unknown_collection_is_told(filled):
    with pytest.raises(NotFound, match="nowhere"):
        await texts(filled, collections=("nowhere",))


@pytest.mark.parametrize(
    "question", ['"', "'; drop table word; --", "NEAR(a b)", "* ^ :", "col:tower", "塔は赤い", "the of and"]
)
async def test_any_question_is_only_words(filled, question):
    assert len(await texts(filled, question)) == 3


async def test_a_reranker_has_the_last_word(filled):
    class Longest:
        async def scores(self, question, vector, model, passages):
            return [float(len(passage.text)) for passage in passages]

    searching = Searching(filled.store, FakeQuestions(filled.embed), filled.serving, Longest())
    result = await searching.search(asked("captain", k=3))
    lengths = [len(passage.text) for passage in result.passages]
    assert lengths == sorted(lengths, reverse=True)
    assert result.passages[0].scores.reranked == lengths[0]


async def test_a_word_of_the_title_finds_a_passage(filled):
    assert await texts(filled, "D3", k=1) == ["captain of an orange boat"]


async def test_the_passage_with_the_best_sentence_comes_first(filled):
    await filled.index(
        filled.batch("d7", 7), "Captain of an orange boat in winter. The red tower. The blue bridge of the harbour."
    )
    questions = FakeQuestions(filled.embed)
    searching = Searching(filled.store, questions, filled.serving, SentenceReranker(questions))
    best = (await searching.search(asked("blue bridge of the harbour", k=1))).passages
    assert [passage.document for passage in best] == ["d7"]
    assert best[0].scores.reranked > best[0].scores.fused


async def test_a_named_index_version_is_searched_instead_of_the_one_that_serves(filled):
    serving = filled.serving
    index, token = await serving.index("acme", "default")
    await serving.put_if("acme", "default", index.with_version("v2", index.versions["v1"]), token)
    found = await filled.searching.search(asked(versions={"default": "v2"}))
    assert (found.passages, found.searched[0].space.version) == ([], "v2")
    assert (await filled.searching.search(asked())).searched[0].space.version == "v1"
    with pytest.raises(NotFound, match="no index version 'v9'"):
        await filled.searching.search(asked(versions={"default": "v9"}))
