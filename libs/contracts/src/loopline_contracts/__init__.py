"""The promises between services: generated messages and the map of events."""
