"""The rules, pure: standard library only. Time, ids and chance are arguments."""
