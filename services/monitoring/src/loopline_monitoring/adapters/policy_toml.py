"""The operator's policy, from a TOML file; the README shows one."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from loopline_monitoring.model import Canaries, Policy, Statistic, Threshold, Webhook
from loopline_runtime.access import TENANT_PATTERN
from loopline_runtime.errors import Invalid

Positive = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Windows(_Part):
    by: Literal["count", "time"] = "count"
    size: Positive = 50
    gap_s: Positive = 3600
    lateness_s: Annotated[float, Field(ge=0)] = 60
    sizes: dict[str, Positive] = {}


class _Baseline(_Part):
    learn: Annotated[int, Field(ge=0)] = 200
    least: Annotated[int, Field(ge=30)] = 40


class _Threshold(_Part):
    signal: str
    statistic: Statistic = Statistic.MEAN
    above: float | None = None
    below: float | None = None
    collection: str = ""

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("a threshold is either above or below")
        return self


class _Canaries(_Part):
    tenant: Annotated[str, Field(pattern=TENANT_PATTERN)] = "local"
    collection: str = "default"
    questions: Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(min_length=1, max_length=100)]
    every_s: Positive = 3600


class _Webhook(_Part):
    name: Annotated[str, Field(pattern="^[a-z0-9-]{1,40}$")]
    kind: Literal["loopline", "alertmanager", "slack"]
    url: Annotated[str, Field(pattern="^https?://")]
    # A file that holds the secret that signs (kind loopline).
    secret_file: Path | None = None


class _File(_Part):
    false_alarms_per_week: Annotated[float, Field(gt=0, le=10_000)] = 1.0
    calm_windows: Annotated[int, Field(ge=1)] = 2
    slices: list[str] = []
    ignored: list[str] = []
    windows: _Windows = _Windows()
    baseline: _Baseline = _Baseline()
    thresholds: list[_Threshold] = []
    canaries: list[_Canaries] = []
    webhooks: list[_Webhook] = []

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [hook.name for hook in self.webhooks]
        if len(names) != len(set(names)) or "line" in names:
            raise ValueError("webhooks have names of their own, none of them line")
        return self


def policy_of(path: Path | None) -> Policy:
    """The file's policy, or the default one without a file. Invalid says what is wrong where."""
    if path is None:
        return Policy()
    try:
        given = _File.model_validate(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"the policy {path} cannot be read: {error}", field="POLICY") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise Invalid(f"the policy {path} is wrong: {wrong}", field="POLICY") from error
    return Policy(
        false_alarms_per_week=given.false_alarms_per_week,
        window_by=given.windows.by,
        window_size=given.windows.size,
        window_sizes=tuple(sorted(given.windows.sizes.items())),
        gap_s=given.windows.gap_s,
        lateness_s=given.windows.lateness_s,
        learn=given.baseline.learn,
        least=given.baseline.least,
        calm_windows=given.calm_windows,
        slices=tuple(given.slices),
        ignored=tuple(given.ignored),
        thresholds=tuple(Threshold(**dict(one)) for one in given.thresholds),
        canaries=tuple(Canaries(c.tenant, c.collection, tuple(c.questions), c.every_s) for c in given.canaries),
        webhooks=tuple(Webhook(h.name, h.kind, h.url, _secret(h.secret_file)) for h in given.webhooks),
    )


def _secret(path: Path | None) -> str:
    try:
        return path.read_text().strip() if path else ""
    except OSError as error:
        raise Invalid(f"the webhook's secret {path} cannot be read: {error.strerror}", field="POLICY") from error
