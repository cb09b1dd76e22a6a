"""Measured comparisons: Fairline beside the lock per request, on the same services, in turn."""
