"""Events over NATS JetStream: publish, consume, dispose, provision, store objects."""
