"""What figures can say. Pure functions of numbers: no clock, no file, no network; every draw from a seed."""

from loopline_statistics.agreement import cohen_kappa, krippendorff_alpha
from loopline_statistics.bootstrap import mean_interval
from loopline_statistics.corrections import benjamini_hochberg, holm
from loopline_statistics.estimates import Difference, Estimate
from loopline_statistics.paired import detectable_effect, paired_bootstrap, power
from loopline_statistics.ranking import ndcg, recall, reciprocal_rank
from loopline_statistics.rates import acceptance, rate_interval

__all__ = [
    "Difference",
    "Estimate",
    "acceptance",
    "benjamini_hochberg",
    "cohen_kappa",
    "detectable_effect",
    "holm",
    "krippendorff_alpha",
    "mean_interval",
    "ndcg",
    "paired_bootstrap",
    "power",
    "rate_interval",
    "recall",
    "reciprocal_rank",
]
