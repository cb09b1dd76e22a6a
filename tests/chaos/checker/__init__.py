"""The independent checker: evidence of a run in, violations out.

It reads what clients saw, a dump of the database and of the topics (README.md here says how they
are written), and knows nothing of the code that it judges: it imports the standard library only,
and its own files by relative imports, so that the folder stands alone wherever it is put.
"""

from .verdict import Verdict, check

__all__ = ["Verdict", "check"]
