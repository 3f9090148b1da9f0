"""A filter's tree, and who may read, as Weaviate's filters."""

from collections.abc import Collection

from weaviate.classes.query import Filter as Where
from weaviate.collections.classes.filters import _Filters

from loopline_retrieval.adapters.weaviate_schema import EVERYBODY, HEAD, PASSAGE, number_property, text_property
from loopline_retrieval.filters import AllOf, AnyOf, Compare, Exists, Filter, In, Not, Value


def answering(where: Filter | None, principals: Collection[str], known: Collection[str]) -> _Filters:
    """Passages that are not staged, that these principals may read and that pass the filter. `known`: the properties there are."""
    readers = [EVERYBODY, *(f"={principal}" for principal in sorted(principals))]
    allowed = Where.by_property("readers").contains_any(readers) & Where.by_property("staged").equal(False)
    return allowed if where is None else allowed & compiled(where, known)


def of_document(document: str) -> _Filters:
    """All objects of a document, heads too."""
    return Where.by_property("document").equal(document)


def heads_of(document: str) -> _Filters:
    """Its heads."""
    return of_document(document) & Where.by_property("kind").equal(HEAD)


def passages_of(document: str) -> _Filters:
    """Its passages."""
    return of_document(document) & Where.by_property("kind").equal(PASSAGE)


def named(tree: Filter) -> set[str]:
    """The properties it may look at."""
    match tree:
        case Compare(name) | In(name) | Exists(name):
            return {text_property(name), number_property(name)}
        case Not(inner):
            return named(inner)
        case AllOf(parts) | AnyOf(parts):
            return set().union(*(named(part) for part in parts))


def compiled(tree: Filter, known: Collection[str]) -> _Filters:
    """The same truth as the embedded store's: a comparison with what is absent is false."""
    match tree:
        case Compare(name, operator, value):
            return _compared(name, operator, value, known)
        case In(name, values):
            return Where.any_of([_compared(name, "=", value, known) for value in values])
        case Exists(name):
            there = text_property(name)
            return Where.by_property(there).is_none(False) if there in known else _nothing()
        case Not(inner):
            return Where.not_(compiled(inner, known))
        case AllOf(inner):
            return Where.all_of([compiled(part, known) for part in inner])
        case AnyOf(inner):
            return Where.any_of([compiled(part, known) for part in inner])


def _compared(name: str, operator: str, value: Value, known: Collection[str]) -> _Filters:
    there = number_property(name) if isinstance(value, float) else text_property(name)
    if there not in known:
        return _nothing()
    found = Where.by_property(there)
    match operator:
        case "=":
            return found.equal(value)
        case "!=":  # of what has the property
            return Where.all_of([found.is_none(False), Where.not_(found.equal(value))])
        case "<":
            return found.less_than(value)
        case "<=":
            return found.less_or_equal(value)
        case ">":
            return found.greater_than(value)
        case _:
            return found.greater_or_equal(value)


def _nothing() -> _Filters:
    return Where.by_property("kind").equal("")
