"""gate.yaml: what must hold for a change to pass.

metrics:
  holds_reference: {floor: 0.8, no_worse_by: 0.02}
  over_refusal: {ceiling: 0.1}
  faithfulness:
    floor: 0.8
    slices: {language=de: {floor: 0.7}}
budget: {tokens: 200000, money: 1.5, p95_s: 4, failed_share: 0.02}
rows: 30            # fewest rows, default 20
missing_share: 0.05 # of a metric's values that may be missing
level: 0.95
"""

from collections.abc import Mapping
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loopline_runtime.errors import Invalid

Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bound(_Part):
    """What a metric must keep to. `floor` and `ceiling` are absolute; `no_worse_by`: how much worse than the baseline is still well."""

    floor: float | None = None
    ceiling: float | None = None
    no_worse_by: Annotated[float | None, Field(ge=0)] = None

    @property
    def empty(self) -> bool:
        """Whether it asks nothing."""
        return self.floor is None and self.ceiling is None and self.no_worse_by is None


class MetricBound(Bound):
    """The same, and for parts of the rows (`key=value`) on their own."""

    slices: Mapping[str, Bound] = Field(default_factory=dict)


class Budget(_Part):
    """What a run may take, None: anything. Times in seconds."""

    tokens: Annotated[int | None, Field(ge=0)] = None
    money: Annotated[float | None, Field(ge=0)] = None
    p95_s: Annotated[float | None, Field(gt=0)] = None
    failed_share: Share | None = None


class Policy(_Part):
    """See the module."""

    metrics: Mapping[str, MetricBound] = Field(min_length=1)
    budget: Budget = Budget()
    rows: Annotated[int, Field(ge=2)] = 20
    missing_share: Share = 0.05
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95

    @property
    def needs_baseline(self) -> bool:
        """Whether anything is held against another run."""
        bounds = [bound for metric in self.metrics.values() for bound in (metric, *metric.slices.values())]
        return any(bound.no_worse_by is not None for bound in bounds)


def policy_of(text: str) -> Policy:
    """Read. Invalid says what is wrong, and where."""
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid(f"the policy is no YAML: {' '.join(str(error).split())}", field="policy") from error
    try:
        policy = Policy.model_validate(_mapping(told))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the policy"
        raise Invalid(f"policy: {where}: {first['msg']}", field="policy") from error
    for name, metric in policy.metrics.items():
        if metric.empty and not metric.slices:
            raise Invalid(f"policy: metrics.{name} asks nothing: give floor, ceiling or no_worse_by", field="policy")
        for part, bound in metric.slices.items():
            if "=" not in part or bound.empty:
                raise Invalid(
                    f"policy: metrics.{name}.slices.{part}: a slice is key=value, with a bound", field="policy"
                )
    return policy


def _mapping(told: object) -> object:
    if not isinstance(told, dict):
        raise Invalid("a policy is a mapping with `metrics`", field="policy")
    return told
