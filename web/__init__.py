"""The aiohttp edge: accepts requests, appends commands, answers with their outcomes."""
