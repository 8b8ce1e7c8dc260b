"""A plugin of asv: its first run on a machine takes asv's own description of it, where asv would stop and ask."""

import os

from asv.machine import Machine, MachineCollection


def setup() -> None:
    """Do what ``asv machine --yes`` does, once."""
    if not os.path.exists(MachineCollection.get_machine_file_path()):
        description = Machine.get_defaults()
        MachineCollection.save(description["machine"], description)
