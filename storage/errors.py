"""What a failed transaction means: run it again, wait for the database, or blame the data."""

from enum import Enum, auto

from sqlalchemy import exc


class Failure(Enum):
    """The four things that a failed transaction can mean."""

    CONFLICT = auto()
    """Another transaction was in the way: run again from the start."""
    AWAY = auto()
    """The database cannot be reached, or the outcome of a commit is unknown."""
    DATA = auto()
    """The database refuses a value or a row."""
    BUG = auto()
    """Nothing that we know of."""


# PostgreSQL's SQLSTATE, by code or by class (appendix A of its manual).
_CONFLICT_STATES = {"23505", "40001", "40P01", "55P03"}
_AWAY_CLASSES = {"08", "53", "57", "58"}
_DATA_CLASSES = {"22", "23"}


def failure_of(error: BaseException) -> Failure:
    """Classify an error that came out of a transaction."""
    if isinstance(error, exc.DBAPIError):
        return _database_failure(error)
    if isinstance(error, OSError | TimeoutError | exc.TimeoutError | exc.InvalidRequestError):
        return Failure.AWAY
    if isinstance(error, OverflowError | UnicodeError):
        return Failure.DATA
    return Failure.BUG


def is_duplicate(error: BaseException) -> bool:
    """Tell whether a conflict is about a row that exists; all others pass by themselves."""
    return isinstance(error, exc.IntegrityError)


def _database_failure(error: exc.DBAPIError) -> Failure:
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in _CONFLICT_STATES:
        return Failure.CONFLICT
    if state[:2] in _DATA_CLASSES:
        return Failure.DATA
    if error.connection_invalidated or state[:2] in _AWAY_CLASSES:
        return Failure.AWAY
    return _failure_without_state(error)


def _failure_without_state(error: exc.DBAPIError) -> Failure:
    text = str(error.orig)
    if isinstance(error, exc.IntegrityError):
        # SQLite: a primary key is reported as UNIQUE too.
        return Failure.CONFLICT if "UNIQUE" in text else Failure.DATA
    if isinstance(error, exc.DataError) or "invalid input for query argument" in text:
        return Failure.DATA
    if getattr(error.orig, "sqlite_errorname", None) == "SQLITE_ERROR":
        # A wrong statement, or a table that is not there; being busy or full has other names.
        return Failure.BUG
    if isinstance(error, exc.OperationalError | exc.InterfaceError):
        return Failure.AWAY
    return Failure.BUG
