"""The command line: argv → verbs.  The only package that prints.

Results go to stdout (machine-readable with --json), progress and errors to stderr.  Exit codes: 0 ok, 1 the
solver failed, 2 usage or a bad case, 3 mismatch, 75 a limit of time or steps reached, 130 on Ctrl-C, 143 on SIGTERM.

`main` dispatches; a module per group of verbs adds its own to the parser and does them.  Each verb imports what
it needs inside its function, so that --help is instant.
"""

try:
    from .dispatch import main, validate_script
except KeyboardInterrupt:  # Ctrl-C before there is anything to stop
    raise SystemExit(130) from None

__all__ = ["main", "validate_script"]
