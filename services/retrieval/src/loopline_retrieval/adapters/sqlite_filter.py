"""A filter's tree as SQL over the table `revision`; values only ever as parameters."""

from loopline_retrieval.filters import AllOf, AnyOf, Compare, Exists, Filter, In, Not, Value

Sql = tuple[str, list[Value]]
_COLUMNS = {"source": "source", "title": "title", "document_id": "document"}
_OPERATORS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def compiled(tree: Filter) -> Sql:
    """A condition and its parameters; never NULL, so that `not` of what is absent is true."""
    match tree:
        case Compare(name, operator, value):
            column, parameters = _column(name, value)
            return f"coalesce({column} {_OPERATORS[operator]} ?, 0)", [*parameters, value]
        case In(name, values):
            parts = [compiled(Compare(name, "=", value)) for value in values]
            return _joined(" or ", parts)
        case Exists(name):
            column, parameters = _column(name, "")
            return f"({column} is not null)", parameters
        case Not(inner):
            condition, parameters = compiled(inner)
            return f"(not {condition})", parameters
        case AllOf(inner):
            return _joined(" and ", [compiled(part) for part in inner])
        case AnyOf(inner):
            return _joined(" or ", [compiled(part) for part in inner])


def _joined(word: str, parts: list[Sql]) -> Sql:
    conditions = word.join(condition for condition, _ in parts)
    return f"({conditions})", [parameter for _, parameters in parts for parameter in parameters]


def _column(name: str, value: Value) -> Sql:
    """The column of a name, or its metadata; against a number, as a number (NULL when the text is none)."""
    if name in _COLUMNS:
        column, parameters = _COLUMNS[name], list[Value]()
    else:
        # The key itself is a parameter, compared with each key: no path syntax can be smuggled in.
        column, parameters = "(select value from json_each(metadata) where key = ?)", [name]
    if isinstance(value, float):
        return f"(select case when is_number(x) then cast(x as real) end from (select {column} as x))", parameters
    return column, parameters
