"""The core: what is watched, who changes it, who is told."""

from loopline_monitoring.app.agreeing import Agreeing
from loopline_monitoring.app.canaries import Asking
from loopline_monitoring.app.monitor import Monitor
from loopline_monitoring.app.posting import Posting
from loopline_monitoring.app.watching import Watching

__all__ = ["Agreeing", "Asking", "Monitor", "Posting", "Watching"]
