"""The systems that fastmlp is compared with: their names, what to import and what to install."""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec


@dataclass(frozen=True)
class System:
    """A system's name in tables, what to import, and what it is installed as."""

    title: str
    package: str
    distribution: str
    also: tuple[str, ...] = ()  # further packages that it cannot do without here

    def installed(self) -> bool:
        return all(map(find_spec, (self.package, *self.also)))

    @property
    def heading(self) -> str:
        """Return its name and version."""
        return f"{self.title} {'.'.join(version(self.distribution).split('.')[:2])}"


SYSTEMS = {
    "fastmlp": System("fastmlp", "fastmlp", "fastmlp"),
    "numpy": System("NumPy", "numpy", "numpy"),
    "sklearn": System("scikit-learn", "sklearn", "scikit-learn"),
    "torch": System("PyTorch", "torch", "torch"),
    "jax": System("JAX", "jax", "jax"),
    "onnxruntime": System("ONNX Runtime", "onnxruntime", "onnxruntime", ("onnx",)),
}
OTHERS = tuple(name for name in SYSTEMS if name != "fastmlp")
