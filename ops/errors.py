"""The base class of errors that the user can do something about."""


class OpsError(RuntimeError):
    """Shown without a traceback."""
