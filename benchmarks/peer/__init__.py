"""The peer: a lock and a transaction per request, written as well as its users would write it."""
