"""The core: scoring, sampling, judging, what people say."""

from loopline_evaluation.app.erasing import Erasing
from loopline_evaluation.app.feedback import Feedbacks
from loopline_evaluation.app.judging import JudgingPolicy, LiveJudging
from loopline_evaluation.app.sampling import Sampling
from loopline_evaluation.app.scoring import Scoring

__all__ = ["Erasing", "Feedbacks", "JudgingPolicy", "LiveJudging", "Sampling", "Scoring"]
