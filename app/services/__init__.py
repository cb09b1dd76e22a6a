"""Kafka, PostgreSQL and Valkey as child processes: real servers that come with pip."""
