"""The compiled core: arrays in, arrays out. README.md in this folder explains it; these are its kernels on plain arrays."""

from fastmlp.kernels.plain import backward_update, matmul_bias, relu, relu_mask, softmax_nll

__all__ = ["backward_update", "matmul_bias", "relu", "relu_mask", "softmax_nll"]
