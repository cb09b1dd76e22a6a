"""Faust's tables, ready at once: a worker of ours has them all before it starts."""

from faust.tables.manager import TableManager


class PromptTables(TableManager):
    """Begins without the second that Faust waits for tables that somebody may still add."""

    async def on_start(self) -> None:
        """Do the rest of what Faust does."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
