"""The state of monitoring, revision by revision."""
