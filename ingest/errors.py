"""Errors that end a command with one line.

The message of each is the line that the user reads: it names what is wrong and
what to do about it. No message ever holds a password.
"""

from typing import ClassVar


class ExcursionError(Exception):
    """Something outside the program is in the way; the message says what to do."""

    exit_status: ClassVar[int] = 1


class UsageError(ExcursionError):
    """What the user gave is wrong: a setting, a missing file, a malformed URL."""

    exit_status: ClassVar[int] = 2


class DatabaseError(ExcursionError):
    """The database refuses, or is not one that excursion can use."""


class DatabaseUnreachableError(DatabaseError):
    """Nothing that answers was found where the settings say the database is."""


class EmbeddedServerError(DatabaseError):
    """The embedded server could not be started, stopped or asked."""
