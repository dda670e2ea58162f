"""Who did what to which record, and when."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """The administrator on whose behalf something is written."""

    user_id: str
    username: str
