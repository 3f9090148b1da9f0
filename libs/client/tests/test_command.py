"""The command: which files are taken, what is told when something is missing, and that its help teaches."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loopline_client.cli.ingest import files_of
from loopline_client.cli.main import app
from loopline_client.settings import ClientSettings
from loopline_runtime.errors import Unavailable


def run(*words: str, home: Path, **environment: str):
    return CliRunner().invoke(app, list(words), env={"LOOPLINE_HOME": str(home), **environment})


def test_folders_are_walked_in_order_and_hidden_files_passed_over(tmp_path: Path):
    for name in ("b/two.md", "b/one.md", ".git/config", "a.txt", "b/.cache/x", "b/__pycache__/y.pyc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert [source for source, _ in files_of([tmp_path])] == ["a.txt", "b/one.md", "b/two.md"]
    assert [source for source, _ in files_of([tmp_path / "b/two.md", tmp_path / "b"])] == ["one.md", "two.md"]


def test_files_of_one_name_in_different_folders_stay_apart(tmp_path: Path):
    for name in ("a/README.md", "b/README.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
    single = [tmp_path / "a/README.md", tmp_path / "b/README.md"]
    assert [source for source, _ in files_of(single)] == ["a/README.md", "b/README.md"]
    refused = run("ingest", str(tmp_path / "a"), str(tmp_path / "b"), home=tmp_path)
    assert refused.exit_code == 1
    assert "would be one document, README.md" in refused.stderr


def test_a_reader_who_leaves_ends_the_command_quietly(tmp_path: Path):
    code = "import sys\nfrom loopline_client.cli import main\nsys.argv[1:] = ['--help']\nmain.main()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1, 141)  # typer's own help ends with 1


@pytest.mark.parametrize(
    "words",
    [
        ("documents", "list"),
        ("search", "x"),
        ("ask", "x"),
        ("keys", "list"),
        ("dead-letters", "list"),
        ("streams", "plan"),
        ("drift", "status"),
    ],
)
def test_without_a_line_one_sentence_says_what_to_do(tmp_path: Path, words: tuple[str, ...]):
    done = run(*words, home=tmp_path)
    assert done.exit_code == 1
    assert "loopline up" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ingest", "nowhere.txt"), "there is no nowhere.txt"),
        (("ingest", ".", "--metadata", "x"), "KEY=VALUE"),
        (("documents", "list", "--state", "eaten"), "no document is eaten"),
        (("ask", "x", "--grounding", "loose"), "off, mark or strict"),
        (("drift", "baseline", "set"), "say one of --last, --next or --since"),
        (("drift", "intend", "prompt"), "say why"),
        (("dead-letters", "replay"), "name numbers, --reason or --all"),
        (("subscribers", "add", "t", "--events", "document_accepted", "--since", "soon"), "--since"),
    ],
)
def test_what_is_misused_is_told(tmp_path: Path, words: tuple[str, ...], told: str):
    done = run(*words, home=tmp_path)
    assert done.exit_code == 1
    assert told in done.stderr


def test_every_command_says_what_it_does(tmp_path: Path):
    done = run("--help", home=tmp_path)
    for word in (
        "ingest",
        "ask",
        "search",
        "documents",
        "events",
        "dead-letters",
        "streams",
        "subscribers",
        "keys",
        "doctor",
    ):
        assert word in done.stdout
        assert run(word, "--help", home=tmp_path).exit_code == 0


def test_the_environment_comes_before_what_up_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOOPLINE_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="loopline up"):
        ClientSettings().profile()
    written = {"key": "ll_a", "nats_url": "nats://x", "targets": {"ingestion": "a:1", "retrieval": "b:2"}}
    (tmp_path / "line.json").write_text(json.dumps(written))
    monkeypatch.setenv("LOOPLINE_KEY", "ll_b")
    monkeypatch.setenv("LOOPLINE_RETRIEVAL", "c:3")
    profile = ClientSettings().profile()
    assert (profile.key, profile.nats_url, profile.targets) == (
        "ll_b",
        "nats://x",
        {"ingestion": "a:1", "retrieval": "c:3"},
    )
    (tmp_path / "line.json").write_text("{")
    with pytest.raises(Unavailable, match="unreadable"):
        ClientSettings().profile()


def test_the_doctor_says_that_no_line_runs(tmp_path: Path):
    done = run("doctor", "--json", home=tmp_path)
    assert done.exit_code == 1
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert (findings["line"]["good"], findings["line"]["do"]) == (False, "loopline up")
