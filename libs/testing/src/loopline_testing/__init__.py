"""Real parts for tests: a nats-server on a free port, in-process gRPC, builders."""
