"""What can go wrong, by what is to be done about it."""


class FairlineError(Exception):
    """Something did not succeed. `code` is stable: docs/errors.md lists them all."""

    def __init__(self, status: int, code: str, detail: str, command_id: str | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.command_id = command_id


class RefusedError(FairlineError):
    """The answer is no, and asking again will not change it."""


class UnavailableError(FairlineError):
    """Nothing was accepted for as long as the client was willing to try. Ask again later."""


class OutcomeUnknownError(FairlineError):
    """The command may or may not be carried out. Send it again with the same `key` to learn it."""

    def __init__(
        self, status: int, code: str, detail: str, command_id: str | None = None, *, key: str
    ) -> None:
        super().__init__(status, code, detail, command_id)
        self.key = key
