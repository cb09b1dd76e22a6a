"""Evidence of a run that never was: consistent, made by a small model, to try the checker on."""
