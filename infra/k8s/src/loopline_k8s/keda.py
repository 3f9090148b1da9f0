"""KEDA as processes beside the control plane: the operator, which asks the scalers, and the adapter, which hands their figures to the HPA."""

import ipaddress
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from loopline_k8s.control_plane import ControlPlane, until
from loopline_k8s.definitions import definitions
from loopline_k8s.manifests import Object
from loopline_local.building import built
from loopline_local.settings import inherited
from loopline_testing.nats import free_port

NAMESPACE = "keda"
NAMES = ("localhost", "keda-operator.keda.svc", "keda-metrics-apiserver.keda.svc")


@contextmanager
def keda(plane: ControlPlane) -> Iterator[Path]:
    """Starts both and waits until the API server serves external metrics. Gives the folder with their logs."""
    home = plane.home / "keda"
    home.mkdir()
    plane.kubectl("apply", "--server-side", *(f"--filename={path}" for path in definitions()))
    _certificate(home)
    figures, adapter = free_port(), free_port()
    plane.apply(_doors(adapter))
    # What each of the two names its flags and needs besides.
    operator_flags = [
        "--enable-webhook-patching=false",
        "--enable-apiservice-patching=false",
        f"--metrics-bind-address=127.0.0.1:{free_port()}",
        f"--health-probe-bind-address=127.0.0.1:{free_port()}",
        f"--metrics-service-bind-address=127.0.0.1:{figures}",
    ]
    adapter_flags = [
        f"--secure-port={adapter}",
        f"--port={free_port()}",
        "--bind-address=127.0.0.1",
        f"--client-ca-file={plane.pki}/ca.crt",
        f"--tls-cert-file={home}/tls.crt",
        f"--tls-private-key-file={home}/tls.key",
        f"--metrics-service-address=localhost:{figures}",
        *(f"--{use}-kubeconfig={plane.kubeconfig}" for use in ("lister", "authentication", "authorization")),
    ]
    with ExitStack() as running:
        for command, flags in (("keda-operator", operator_flags), ("keda-adapter", adapter_flags)):
            running.enter_context(_running(plane, home, command, flags))
        until("KEDA's figures are served", lambda: _served(plane))
        yield home


@contextmanager
def _running(plane: ControlPlane, home: Path, command: str, flags: list[str]) -> Iterator[None]:
    environment = inherited(
        KUBECONFIG=str(plane.kubeconfig),
        HOME=str(home),
        POD_NAMESPACE=NAMESPACE,
        POD_NAME=command,
        KEDA_CLUSTER_OBJECT_NAMESPACE=NAMESPACE,
        WATCH_NAMESPACE="",
        KEDA_HTTP_DEFAULT_TIMEOUT="1000",
    )
    with (home / f"{command}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(built(command)), f"--cert-dir={home}", *flags], env=environment, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _served(plane: ControlPlane) -> bool:
    conditions = plane.get("apiservice", "v1beta1.external.metrics.k8s.io").get("status", {}).get("conditions", [])
    return any(one["type"] == "Available" and one["status"] == "True" for one in conditions)


def _doors(port: int) -> list[Object]:
    """The API server reaches the adapter on this machine."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "adapter", "namespace": NAMESPACE}}
    api = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {**service, "spec": {"type": "ExternalName", "externalName": "localhost"}},
        {
            **api,
            "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
            "spec": {
                "group": "external.metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"name": "adapter", "namespace": NAMESPACE, "port": port},
            },
        },
    ]


def _certificate(home: Path) -> None:
    """One that signs itself, for both sides of both."""
    key = rsa.generate_private_key(65537, 2048)
    names = [*(x509.DNSName(name) for name in NAMES), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keda")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = made.public_bytes(serialization.Encoding.PEM)
    for name in ("tls.crt", "ca.crt"):
        (home / name).write_bytes(certificate)
    (home / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def conditions(plane: ControlPlane, name: str) -> dict[str, str]:
    """Ready, Active, Fallback, ... of a ScaledObject. A trigger on a missing consumer is Ready, and Active Unknown."""
    told = plane.get("scaledobject", "-n", "loopline", name).get("status", {}).get("conditions", [])
    return {one["type"]: one["status"] for one in told}
