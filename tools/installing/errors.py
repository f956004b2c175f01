"""Why an installation stopped."""


class InstallError(Exception):
    """It can't be installed or removed; the text says why, and what to do."""
