"""The errors a user can meet; each carries the exit code that the command line returns for it."""


class WgfpdeError(Exception):
    """Base of all errors raised on purpose.  The text is a sentence with a remedy."""

    exit_code = 1


class CaseError(WgfpdeError):
    """The case, the command line or the input data is wrong: nothing was computed."""

    exit_code = 2


class StoreError(WgfpdeError):
    """A run folder or file cannot be read or written."""

    exit_code = 2


class SolverError(WgfpdeError):
    """A step could not be solved; the last good state was kept."""

    exit_code = 1
