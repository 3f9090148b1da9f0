"""What we promise others is complete, linted and generated from what stands in protos/."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from loopline.access.v1 import rights_pb2
from loopline.embedding.v1 import embedding_service_pb2
from loopline.embedding.v1 import events_pb2 as embedding_events
from loopline.evaluation.v1 import annotation_service_pb2, dataset_service_pb2, evaluation_service_pb2, run_service_pb2
from loopline.evaluation.v1 import events_pb2 as evaluation_events
from loopline.generation.v1 import events_pb2 as generation_events
from loopline.generation.v1 import generation_service_pb2
from loopline.ingestion.v1 import events_pb2 as ingestion_events
from loopline.ingestion.v1 import ingestion_service_pb2
from loopline.monitoring.v1 import events_pb2 as monitoring_events
from loopline.monitoring.v1 import monitoring_service_pb2
from loopline.retrieval.v1 import events_pb2 as retrieval_events
from loopline.retrieval.v1 import retrieval_service_pb2
from loopline_contracts.asyncapi import document

ROOT = Path(__file__).parents[2]
FILES: list[FileDescriptor] = [
    rights_pb2.DESCRIPTOR,
    *(
        module.DESCRIPTOR
        for module in (
            ingestion_events,
            embedding_events,
            retrieval_events,
            generation_events,
            evaluation_events,
            monitoring_events,
        )
    ),
    *(
        module.DESCRIPTOR
        for module in (
            ingestion_service_pb2,
            embedding_service_pb2,
            retrieval_service_pb2,
            generation_service_pb2,
            evaluation_service_pb2,
            annotation_service_pb2,
            dataset_service_pb2,
            run_service_pb2,
            monitoring_service_pb2,
        )
    ),
]
METHODS: list[MethodDescriptor] = [
    method for file in FILES for service in file.services_by_name.values() for method in service.methods
]


def test_every_proto_file_is_looked_at():
    assert {file.name for file in FILES} == {
        path.relative_to(ROOT / "protos").as_posix() for path in (ROOT / "protos").rglob("*.proto")
    }


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_rpc_says_whether_it_may_be_repeated_and_what_right_it_asks(method: MethodDescriptor):
    options = method.GetOptions()
    assert options.HasField("idempotency_level")
    assert options.Extensions[rights_pb2.right] != rights_pb2.RIGHT_UNSPECIFIED


def test_only_answering_has_effects_that_a_repeat_would_double():
    unknown = [m.full_name for m in METHODS if m.GetOptions().idempotency_level == MethodOptions.IDEMPOTENCY_UNKNOWN]
    assert unknown == ["loopline.generation.v1.GenerationService.Answer"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_other_languages_find_their_packages(file: FileDescriptor):
    options = file.GetOptions()
    assert options.go_package
    assert options.java_package.startswith("dev.loopline.")
    assert options.csharp_namespace.startswith("Loopline.")


def test_protos_pass_buf():
    buf = Path(sys.executable).with_name("buf")
    done = subprocess.run([buf, "lint", "protos"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_generated_code_is_fresh(tmp_path: Path):
    protos = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "protos").rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-Iprotos", f"--python_out={tmp_path}", *protos]
    subprocess.run(command, cwd=ROOT, check=True)
    services = [proto for proto in protos if proto.endswith("_service.proto")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-Iprotos", f"--grpc_python_out={tmp_path}", *services]
    subprocess.run(command, cwd=ROOT, check=True)
    fresh = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.py")}
    kept = ROOT / "libs/contracts/src"
    stale = [str(name) for name, text in fresh.items() if (kept / name).read_text() != text]
    assert stale == [], "run `make proto`"
    assert {path.relative_to(kept) for path in (kept / "loopline").rglob("*.py")} == set(fresh)


def test_the_asyncapi_document_is_fresh():
    kept = json.loads((ROOT / "protos/asyncapi.json").read_text())
    assert kept == document(), "run `make proto`"
