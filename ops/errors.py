"""The base of every error that a person can do something about."""


class OpsError(RuntimeError):
    """Shown to the person as it is, without a traceback."""
