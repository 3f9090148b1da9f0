"""What every process needs: errors, settings, names, logs, traces, metrics, lifecycle."""
