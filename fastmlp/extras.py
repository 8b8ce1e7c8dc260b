"""Libraries that are not always installed."""

from importlib import import_module
from types import ModuleType


def need(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module of an extra. Raises ImportError that says how to install it where it is absent."""
    try:
        return import_module(module)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the library is there, and something that it needs is not
        raise ImportError(f'{purpose} needs {module.partition(".")[0]}: pip install "fastmlp[{extra}]"') from error
