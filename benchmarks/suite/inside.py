"""What the suite takes from inside the kernels, which earlier commits keep elsewhere, or do not have."""

try:
    from fastmlp.kernels.buffers import aligned, in_blocks
    from fastmlp.kernels.shape import REGISTERS, VECTOR_BYTES, Shape
except ImportError:
    from fastmlp.kernels import layout
    from fastmlp.kernels.tile import REGISTERS, VECTOR_BYTES, Shape

    aligned, in_blocks = layout.aligned, getattr(layout, "in_blocks", None)

__all__ = ["REGISTERS", "VECTOR_BYTES", "Shape", "aligned", "in_blocks"]
