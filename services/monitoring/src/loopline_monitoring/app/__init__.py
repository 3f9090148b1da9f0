"""The core: what is watched, and the one loop that changes it."""

from loopline_monitoring.app.monitor import Monitor
from loopline_monitoring.app.watching import Watching

__all__ = ["Monitor", "Watching"]
