"""The errors a user can meet; each carries the exit code that the command line returns for it."""


class WgfpdeError(Exception):
    """Base of all errors raised on purpose.  The text is a sentence with a remedy; several are given one by one.

    What a sentence quotes may hold line breaks: only here do sentences become lines, and who shows them cleans each.
    """

    exit_code = 1

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))

    @property
    def lines(self) -> tuple[str, ...]:
        """The sentences."""
        return tuple(map(str, self.args))


class CaseError(WgfpdeError):
    """The case, the command line or the input data is wrong: nothing was computed."""

    exit_code = 2


class StoreError(WgfpdeError):
    """A run folder or file cannot be read or written."""

    exit_code = 2


class SolverError(WgfpdeError):
    """A step could not be solved; the last good state was kept."""

    exit_code = 1
