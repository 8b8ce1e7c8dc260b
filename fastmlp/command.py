"""The command that trains as a configuration says."""

import shlex
from typing import Any

from fastmlp.config import Config

SPELLED = {
    "learning_rate": "lr",
    "learning_rate_decay": "lr-decay",
    "learning_rate_schedule": "lr-schedule",
    "max_steps": "steps",
}
"""Options whose names are shorter on the command line."""


def command_of(config: Config) -> str:
    """Return a ``fastmlp train`` with every option that matters, to be pasted into a shell."""
    facts = config.facts()
    words = ["fastmlp", "train", str(facts.pop("data"))]
    if facts["learning_rate_schedule"] == "linear":
        del facts["learning_rate_decay"]
    for name, value in facts.items():
        option = "--" + SPELLED.get(name, name.replace("_", "-"))
        if isinstance(value, bool):
            words += [option] if value else []
        elif name == "drop":
            words += [word for each in value for word in (option, each)]
        else:
            words += [option, _as_word(value)]
    return shlex.join(words)


def _as_word(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return repr(value) if isinstance(value, float) else str(value)
