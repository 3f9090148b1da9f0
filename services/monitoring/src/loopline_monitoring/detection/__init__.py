"""The statistics: pure numbers, no transport, no clock, no chance of their own."""

from loopline_monitoring.detection.causes import Cause, Moved, VersionSeen, rank
from loopline_monitoring.detection.effects import Severity
from loopline_monitoring.detection.kinds import Kind, Value
from loopline_monitoring.detection.promise import Promise
from loopline_monitoring.detection.sequential import Sequential
from loopline_monitoring.detection.sketch import Sketch, Summary
from loopline_monitoring.detection.topics import Topics
from loopline_monitoring.detection.windows import Verdict, compare

__all__ = [
    "Cause",
    "Kind",
    "Moved",
    "Promise",
    "Sequential",
    "Severity",
    "Sketch",
    "Summary",
    "Topics",
    "Value",
    "Verdict",
    "VersionSeen",
    "compare",
    "rank",
]
