"""Keys begin with the command's id, which grows with time: less of an index is touched at once."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OLD, _NEW = ("user_id", "command_id"), ("command_id", "user_id")


def upgrade() -> None:
    """Apply. Each table's index is made anew, which takes a while where there are many rows."""
    op.drop_index("command_ids_command_id_ix", "command_ids")
    _key_claims_by("command_id", "principal")
    _key_entries_by(_NEW, instead_of=_OLD)


def downgrade() -> None:
    """Take back."""
    _key_entries_by(_OLD, instead_of=_NEW)
    _key_claims_by("principal", "command_id")
    op.create_index("command_ids_command_id_ix", "command_ids", ["command_id"])


def _key_claims_by(*columns: str) -> None:
    with op.batch_alter_table("command_ids") as claims:
        claims.drop_constraint("command_ids_pk", type_="primary")
        claims.create_primary_key("command_ids_pk", list(columns))


def _key_entries_by(columns: tuple[str, str], instead_of: tuple[str, str]) -> None:
    # SQLite copies the table, and would forget that its numbers are never given twice.
    kept = {"sqlite_autoincrement": True}
    with op.batch_alter_table("balance_entries", table_kwargs=kept) as entries:
        entries.drop_constraint(_unique(instead_of), type_="unique")
        entries.create_unique_constraint(_unique(columns), list(columns))


def _unique(columns: tuple[str, str]) -> str:
    return f"balance_entries_{'_'.join(columns)}_uq"
