"""Calls over gRPC: one server, one client, one map of errors."""
