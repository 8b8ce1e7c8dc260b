"""The compiled core: arrays in, arrays out. Here are its kernels on plain arrays; README.md in this folder explains."""

from fastmlp.kernels.plain import backward_update, matmul_bias, relu, relu_mask, softmax_nll

__all__ = ["backward_update", "matmul_bias", "relu", "relu_mask", "softmax_nll"]
