"""Files that cannot be data, found out before anything else looks at them."""

from pathlib import Path

from fastmlp.errors import DataError


def refuse_unreadable(path: Path) -> None:
    """Raise DataError where there is no file at a path, or it may not be read, or is empty."""
    try:
        with path.open("rb") as file:
            if not file.peek(1):
                raise DataError(f"{path} is empty")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file or folder") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
