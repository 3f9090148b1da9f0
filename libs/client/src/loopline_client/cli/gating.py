"""A gate's decision on one screen, as JUnit XML, and as Markdown."""

from xml.etree import ElementTree as Xml

from loopline_client.cli.output import say, table
from loopline_client.run_results import GateCheck, Gated

_DOUBT = "not enough evidence"
UNSTABLE_SHOWN = 8


def exit_status(decided: Gated) -> int:
    """0 pass, 1 fail, 2 not enough evidence."""
    return {"pass": 0, "FAIL": 1, _DOUBT: 2}[_word(decided.decision.verdict)]


def screen(decided: Gated) -> None:
    """Why, for people."""
    verdict = _word(decided.decision.verdict)
    colour = {"pass": "bold green", "FAIL": "bold red"}.get(verdict, "bold yellow")
    against = f" against {decided.decision.baseline_id}" if decided.decision.baseline_id else ""
    say(f"{verdict.upper()}: run {decided.decision.run_id}{against}", colour)
    table(["", "bound", "found"], ((_word(one.verdict), one.name, one.told) for one in decided.checks), "no bound")
    if decided.unstable:
        say(f"{len(decided.unstable)} unstable rows (not blocking):", "dim")
    for row in decided.unstable[:UNSTABLE_SHOWN]:
        say(
            f"  {row.metric} {', '.join(f'{value:g}' for value in row.values)}  {row.row_id}  {row.question[:70]}",
            "dim",
        )


def junit(decided: Gated) -> str:
    """One test case a bound; one that cannot be decided is an error."""
    counts = [_word(one.verdict) for one in decided.checks]
    suite = Xml.Element(
        "testsuite",
        name="loopline gate",
        tests=str(len(counts)),
        failures=str(counts.count("FAIL")),
        errors=str(counts.count(_DOUBT)),
    )
    for one in decided.checks:
        case = Xml.SubElement(suite, "testcase", classname=f"gate.{decided.decision.run_id}", name=one.name)
        if one.verdict == "FAIL":
            Xml.SubElement(case, "failure", message=one.told).text = one.told
        elif one.verdict != "PASS":
            Xml.SubElement(case, "error", message=f"{_DOUBT}: {one.told}").text = one.told
        else:
            Xml.SubElement(case, "system-out").text = one.told
    written: str = Xml.tostring(suite, encoding="unicode", xml_declaration=True)
    return written + "\n"


def markdown(decided: Gated) -> str:
    """A heading and a table."""
    lines = [
        f"### Gate: {_word(decided.decision.verdict)}",
        "",
        f"Run `{decided.decision.run_id}`" + _against(decided),
        "",
    ]
    lines += ["| | bound | found |", "|---|---|---|", *map(_line, decided.checks)]
    if decided.unstable:
        rows = ", ".join(f"`{row.row_id}`" for row in decided.unstable[:UNSTABLE_SHOWN])
        lines += ["", f"{len(decided.unstable)} unstable rows, not blocking: {rows}"]
    return "\n".join(lines) + "\n"


def _line(one: GateCheck) -> str:
    return f"| {_word(one.verdict)} | {one.name.replace('|', '/')} | {one.told.replace('|', '/')} |"


def _against(decided: Gated) -> str:
    return f" against `{decided.decision.baseline_id}`" if decided.decision.baseline_id else ""


def _word(verdict: str) -> str:
    return "pass" if verdict == "PASS" else "FAIL" if verdict == "FAIL" else _DOUBT
