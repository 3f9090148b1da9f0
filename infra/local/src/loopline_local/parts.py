"""The processes of the local line: what is run, with which settings, and how it is seen to be ready."""

import json
import sys
import sysconfig
from dataclasses import asdict, dataclass, field
from pathlib import Path

from loopline_local import weaviate
from loopline_local.securing import Security

SERVICES = ("embedding", "retrieval", "ingestion", "generation", "evaluation", "monitoring")


@dataclass(frozen=True, slots=True)
class Options:
    """How this line is started."""

    home: Path
    models: Path
    engine: str = "chat"
    grounding: str = "strict"
    # Where passages lie: embedded or weaviate.
    store: str = "embedded"
    lost_after_s: float = 5.0
    # TLS with certificates of both sides, and credentials for the bus.
    secure: bool = False

    def as_json(self) -> str:
        """For another process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def of_json(cls, text: str) -> "Options":
        """As another process meant it."""
        told = json.loads(text)
        return cls(**{**told, "home": Path(told["home"]), "models": Path(told["models"])})

    @property
    def parts(self) -> int:
        """How many processes this line has."""
        return len(SERVICES) + 1 + (self.engine == "chat") + (self.store == "weaviate")

    @property
    def security(self) -> Security:
        """Certificates and credentials."""
        return Security(self.home, self.secure)

    @property
    def data(self) -> Path:
        """What must survive."""
        return self.home / "data"

    @property
    def policy(self) -> Path:
        """The monitor's policy, where somebody wrote one."""
        return self.home / "policy.toml"

    @property
    def logs(self) -> Path:
        """What the processes say."""
        return self.home / "logs"


@dataclass(frozen=True, slots=True)
class Part:
    """One process. `port`: where it is asked; `metrics`: where `/livez` is, 0 when there is none."""

    name: str
    command: list[str]
    port: int
    metrics: int = 0
    environment: dict[str, str] = field(default_factory=dict)


def nats(options: Options, port: int) -> Part:
    """The bus: JetStream, every message on disk before it is acknowledged."""
    config = options.home / "nats.conf"
    store = options.data / "nats"
    config.write_text(
        f'server_name: loopline\nhost: 127.0.0.1\nport: {port}\njetstream {{\n  store_dir: "{store}"\n  sync_interval: always\n}}\n'
        + options.security.of_bus()
    )
    binary = Path(sysconfig.get_path("scripts")) / "nats-server"
    return Part("nats", [str(binary), "-c", str(config)], port)


def model(options: Options, port: int) -> Part:
    """The small language model."""
    file = options.models / "SmolLM2-135M-Instruct" / "model.gguf"
    command = [sys.executable, "-m", "loopline_local.model_server", "--model", str(file), "--port", str(port)]
    return Part("model", command, port)


def weaviate_server(options: Options, ports: dict[str, int], key: str) -> Part:
    """The vector database."""
    own = {name: ports[f"weaviate-{name}"] for name in weaviate.PORTS}
    settings = weaviate.environment(options.data / "weaviate", own, key)
    return Part("weaviate", weaviate.command(own), own["http"], environment=settings)


def services(options: Options, ports: dict[str, int], service_key: str, store_key: str) -> list[Part]:
    """The services."""
    folder, data = options.models / "all-MiniLM-L6-v2", options.data
    target = {name: f"127.0.0.1:{ports[name]}" for name in SERVICES}
    own: dict[str, dict[str, str]] = {
        "embedding": {
            "MODEL__PATH": str(folder),
            "MODEL__CACHE": str(options.models / "graphs"),
            "ORT_DISABLE_TELEMETRY": "1",
        },
        "retrieval": {**_index(options, ports, store_key), "EMBEDDING__TARGET": target["embedding"]},
        "ingestion": {
            "LEDGER__URL": f"sqlite:///{data / 'ledger.db'}",
            "EXTRACTION__TOKENIZER": str(folder / "tokenizer.json"),
            "REMAKE__LOST_AFTER_S": str(options.lost_after_s),
            "REMAKE__EVERY_S": "2",
            # Not in the data folder: whoever restores that from a copy keeps the orders to erase.
            "ERASURE__JOURNAL": str(options.home / "erasures.jsonl"),
        },
        "generation": {
            "ANSWERS__URL": f"sqlite:///{data / 'answers.db'}",
            "ANSWERS__ENGINE": options.engine,
            "ANSWERS__GROUNDING": options.grounding,
            "SPOOL__PATH": str(data / "spool"),
            "TARGETS__RETRIEVAL": target["retrieval"],
            "TARGETS__EMBEDDING": target["embedding"],
            "TGI__URL": f"http://127.0.0.1:{ports['model']}",
        },
        "evaluation": {
            "SCORES__URL": f"sqlite:///{data / 'scores.db'}",
            "RUNS__URL": f"sqlite:///{data / 'runs.db'}",
            **{
                f"TARGETS__{name.upper()}": target[name]
                for name in ("embedding", "retrieval", "ingestion", "generation")
            },
        },
        "monitoring": {
            "STATE__URL": f"sqlite:///{data / 'monitoring.db'}",
            "TARGETS__GENERATION": target["generation"],
            "TARGETS__EMBEDDING": target["embedding"],
            **({"WATCH__POLICY": str(options.policy)} if options.policy.exists() else {}),
        },
    }
    return [
        Part(
            name,
            [sys.executable, "-m", f"loopline_{name}.main"],
            ports[name],
            ports[f"{name}-metrics"],
            {
                "NATS__URL": f"nats://127.0.0.1:{ports['nats']}",
                "GRPC__PORT": str(ports[name]),
                "ACCESS__KEY": service_key,
                "TELEMETRY__METRICS_PORT": str(ports[f"{name}-metrics"]),
                **options.security.of_service(name),
                **own[name],
            },
        )
        for name in SERVICES
    ]


def _index(options: Options, ports: dict[str, int], key: str) -> dict[str, str]:
    if options.store == "embedded":
        return {"INDEX__PATH": str(options.data / "index")}
    return {
        "INDEX__STORE": "weaviate",
        "WEAVIATE__PORT": str(ports["weaviate-http"]),
        "WEAVIATE__GRPC_PORT": str(ports["weaviate-grpc"]),
        "WEAVIATE__KEY": key,
    }
