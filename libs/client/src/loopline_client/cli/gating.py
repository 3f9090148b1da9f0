"""A gate's decision on one screen, as JUnit XML, and as Markdown."""

from xml.etree import ElementTree as Xml

from loopline.evaluation.v1.events_pb2 import GATE_VERDICT_FAIL, GATE_VERDICT_PASS
from loopline.evaluation.v1.run_service_pb2 import GateCheck, GateResponse
from loopline_client.cli.output import say, table

_DOUBT = "not enough evidence"
UNSTABLE_SHOWN = 8


def exit_status(decided: GateResponse) -> int:
    """0 pass, 1 fail, 2 not enough evidence."""
    return {"pass": 0, "FAIL": 1, _DOUBT: 2}[_word(decided.decision.verdict)]


def screen(decided: GateResponse) -> None:
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


def junit(decided: GateResponse) -> str:
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
        if one.verdict == GATE_VERDICT_FAIL:
            Xml.SubElement(case, "failure", message=one.told).text = one.told
        elif one.verdict != GATE_VERDICT_PASS:
            Xml.SubElement(case, "error", message=f"{_DOUBT}: {one.told}").text = one.told
        else:
            Xml.SubElement(case, "system-out").text = one.told
    written: str = Xml.tostring(suite, encoding="unicode", xml_declaration=True)
    return written + "\n"


def markdown(decided: GateResponse) -> str:
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


def _against(decided: GateResponse) -> str:
    return f" against `{decided.decision.baseline_id}`" if decided.decision.baseline_id else ""


def _word(verdict: int) -> str:
    return "pass" if verdict == GATE_VERDICT_PASS else "FAIL" if verdict == GATE_VERDICT_FAIL else _DOUBT
