"""Shuffling, as NumPy's generators do it and from the same random numbers, in less than half the time.

From the last place to the second, each is swapped with one that is drawn from those up to it (Durstenfeld, 1964,
algorithm 235). Which one: random bits, as many as the highest of them has, drawn again while they say more than that.
NumPy branches on each draw, and up to half of them are too high: no processor guesses that. Here the next draw is
written over one that is too high, and draws come in blocks, so that swaps need not wait for them.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastmlp.kernels.jit import entry, part

BLOCK = 256  # numbers drawn before their swaps


@intrinsic
def _draw(typing_context, bits):
    """Return the next 32 bits (uint32) of a generator, by its own function in C."""

    def generate(context, builder, signature, values):
        word, state = ir.IntType(32), ir.IntType(8).as_pointer()
        draw = ir.FunctionType(word, [state]).as_pointer()
        # bitgen_t of numpy/random/bitgen.h begins so: the state, and functions that draw 64 and 32 bits from it
        interface = builder.inttoptr(values[0], ir.LiteralStructType([state, state, draw]).as_pointer())
        state, _, draw = (builder.load(cgutils.gep_inbounds(builder, interface, 0, field)) for field in range(3))
        return builder.call(draw, [state])

    return types.uint32(types.intp), generate


@part
def _shuffle_one(order, bits, drawn):
    """Shuffle ``order`` (N,) in place; bits and drawn are those of ``shuffle``."""
    mask = 1
    while mask < len(order) - 1:
        mask = 2 * mask + 1
    last = len(order) - 1
    while last > 0:
        if last <= mask // 2:
            mask //= 2
        count = min(len(drawn), last - mask // 2)
        k = 0
        while k < count:
            drawn[k] = _draw(bits) & np.uint32(mask)
            k += np.int64(drawn[k] <= last - k)
        for k in range(count):
            i, j = last - k, np.int64(drawn[k])
            order[i], order[j] = order[j], order[i]
        last -= count


@entry
def shuffle(orders, bits, drawn):
    """Shuffle the first of ``orders`` in place; each of the others becomes the one before it, shuffled.

    orders: (epochs, N) int64, C-ordered, N below 2^32
    bits: where the bitgen_t of a generator of NumPy's is, from which no other may draw meanwhile
    drawn: (BLOCK,) uint32, overwritten
    """
    for e in range(len(orders)):
        for i in range(orders.shape[1] if e else 0):
            orders[e, i] = orders[e - 1, i]
        _shuffle_one(orders[e], bits, drawn)
