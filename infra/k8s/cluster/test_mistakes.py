"""Planted mistakes: each turns the checks of `make test` red. A check that lets one through is no check."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopline_k8s.manifests import FOLDER

ROOT = FOLDER.parents[1]


@dataclass(frozen=True)
class Mistake:
    what: str
    file: str
    right: str
    wrong: str
    # Part of the name of the test that must say so.
    seen_by: str


MISTAKES = (
    Mistake("a consumer's name", "services/embedding/scaling.yaml", "embedding-embed", "embedding-embde", "own_consumers"),
    Mistake("another's trigger", "services/evaluation/scaling.yaml", "stream: GENERATION\n        consumer: evaluation-score",
            "stream: INGESTION_BATCHES\n        consumer: embedding-embed", "own_consumers"),
    Mistake("a variable's name", "services/retrieval/settings.env", "INDEX__STORE", "INDEX__STOR", "settings_know"),
    Mistake("a variable's value", "services/retrieval/settings.env", "WEAVIATE__REPLICAS=3", "WEAVIATE__REPLICAS=three", "settings_know"),
    Mistake("a setting that must be set", "services/generation/settings.env", "SPOOL__PATH=/spool\n", "", "settings_know"),
    Mistake("a policy's port", "network/embedding.yaml", "port: 50051", "port: 50052", "called_by_those_alone"),
    Mistake("a policy for one too many", "network/weaviate.yaml", "app.kubernetes.io/name: retrieval", "app.kubernetes.io/name: generation",
            "called_by_those_alone"),
    Mistake("a misspelt field", "anatomy/deployment.yaml", "readOnlyRootFilesystem", "readonlyRootFilesystem", "schemas_know"),
    Mistake("a number for a word", "services/embedding/scaling.yaml", 'lagThreshold: "8"', "lagThreshold: 8", "schemas_know"),
    Mistake("a door below two", "services/retrieval/scaling.yaml", "minReplicaCount: 3", "minReplicaCount: 1", "never_below_two"),
    Mistake("a probe of another's door", "services/retrieval/deployment.yaml", "loopline.retrieval.v1.RetrievalService",
            "loopline.embedding.v1.EmbeddingService", "probes_ask"),
    Mistake("too little time to finish", "anatomy/deployment.yaml", "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 30",
            "time_to_finish"),
    Mistake("a password in a ConfigMap", "services/ingestion/settings.env", "EXTRACTION__TOKENIZER",
            "LEDGER__URL=postgresql://me:secret@db/ledger\nEXTRACTION__TOKENIZER", "secrets_lie"),
    Mistake("a Deployment that is not there", "services/evaluation/scaling.yaml", "name: loopline-evaluation", "name: evaluation",
            "every_reference"),
    Mistake("a figure that nobody shows", "components/observed/alerts.yaml", "loopline_last_fetch_age_seconds", "loopline_fetch_age_seconds",
            "figure_is_one"),
    Mistake("a method that does not exist", "services/retrieval/scaling.yaml", 'method="Search"', 'method="Find"', "calls_in_flight"),
    Mistake("a page by a name that KEDA misreads", "components/tgi/scaling.yaml", "loopline.svc:8080", "loopline:8080", "name_of_their_service"),
    Mistake("a model that new collections do not name", "components/tei/tei.env", "REVISION=c9745ed1", "REVISION=8b3219a9",
            "text_embeddings"),
    Mistake("a question to Prometheus that nobody tried", "components/tgi/scaling.yaml", "sum(rate(", "avg(rate(", "asks_of_prometheus"),
    Mistake("a server of embeddings for all", "components/tei/network.yaml", "name: embedding\n        - namespaceSelector",
            "name: retrieval\n        - namespaceSelector", "server_of_embeddings"),
    Mistake("a value that no chart reads", "values/nats.yaml", "  monitor:", "  monitoring:", "its_chart_reads"),
    Mistake("a variable that the chart sets too", "values/weaviate.yaml", "env:\n", "env:\n  DEFAULT_VECTORIZER_MODULE: none\n",
            "names_nothing_twice"),
    Mistake("a public route to a service that is not", "components/edge/routes.yaml", "name: loopline-retrieval", "name: loopline-embedding",
            "way_in"),
)  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all that the checks read, beside the services as they are."""
    root = tmp_path_factory.mktemp("mistakes")
    shutil.copytree(FOLDER, root / "infra/k8s", ignore=shutil.ignore_patterns("__pycache__", "cluster"))
    for beside in ("services", "skaffold.yaml"):
        (root / beside).symlink_to(ROOT / beside)
    return root / "infra/k8s"


def verdict(copy: Path, tests: str) -> str:
    """What the checks with these words in their names say of the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    command += [f"--rootdir={copy}", "-k", tests, str(copy / "tests")]
    environment = {"PYTHONPATH": str(copy / "src"), "PATH": os.defpath}
    done = subprocess.run(command, env=environment, cwd=copy, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_without_a_mistake_all_is_well(copy: Path):
    told = verdict(copy, " or ".join(sorted({mistake.seen_by for mistake in MISTAKES})))
    assert re.search(r"^[0-9]+ passed", told, re.MULTILINE), told
    assert "failed" not in told


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what.replace(" ", "-"))
def test_a_mistake_is_seen(copy: Path, mistake: Mistake):
    path = copy / mistake.file
    text = path.read_text()
    assert mistake.right in text, "the mistake can no longer be made: plant another"
    path.write_text(text.replace(mistake.right, mistake.wrong))
    try:
        told = verdict(copy, mistake.seen_by)
    finally:
        path.write_text(text)
    assert re.search(rf"^FAILED .*{mistake.seen_by}", told, re.MULTILINE), f"{mistake.what} went unseen: {told[-2000:]}"
