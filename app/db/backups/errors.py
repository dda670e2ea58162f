"""What can go wrong with backups. The messages are for operators."""


class BackupError(Exception):
    """Base of all errors below."""


class BackupFailed(BackupError):
    """No backup was made."""


class Damaged(BackupError):
    """A backup isn't what was written: the message names the file."""


class WrongKey(BackupError):
    """A key that can't be used, or of another backup."""


class RestoreFailed(BackupError):
    """The backup isn't restored, or not completely."""
