"""Settings from environment variables, or from files, so that secrets needn't be in the environment."""

import os
from pathlib import Path


class SettingError(Exception):
    """A setting is missing or can't be read; the message names the variable."""


def setting(name: str, default: str | None = None) -> str:
    """The value of environment variable `name`, else the content of the file that `name`_FILE names, else `default`.

    White space around a file's content is stripped.
    Raises SettingError when there is neither and no default, or when the file can't be read.
    """
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{name}_FILE={path} can't be read: {error}") from error
    if default is None:
        raise SettingError(f"{name} is not set (nor {name}_FILE, a file that holds it)")
    return default
