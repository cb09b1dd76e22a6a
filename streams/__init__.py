"""Kafka and Faust: the topics, the codec, the agents, and the one place that applies a batch."""
