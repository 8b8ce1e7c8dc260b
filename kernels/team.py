"""Threads that meet: the members of a team all run the same kernel and wait for one another at a barrier.

A team is one int64 array, in which every counter has a cache line (8 numbers) of its own:

    line 0         how often any member has arrived, ever
    line 1         not zero: give up, one of the members will never arrive
    line 2 + 2t    how often member t has arrived, and how often it has offered work to the others
    line 3 + 2t    its last offer: MANY times its number, and how many pieces were taken; how many are done

Members are ordinary Python threads that entered a kernel without the GIL. A waiting member spins, since the others
are rarely more than microseconds behind, and lets other threads run after that.
"""

import sys

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.jit import call_llvm, part

LINE = 8
ARRIVALS, ABORTED, MEMBERS = 0, LINE, 2 * LINE
OFFERS, OFFER, DONE = 1, LINE, LINE + 1  # in the lines of a member
MANY = 1 << 20
# About 4 us. Under a competing load, threads that spin use up the time they need: 784-128-10 with two busy neighbours
# took 0.2 s an epoch with 200 spins, 0.9 s with 20,000, 2 s with no end of them
SPINS_BEFORE_YIELDING = 200


def new_team(members: int) -> np.ndarray:
    """Return the shared state, int64, of a team of that many members."""
    return np.zeros(MEMBERS + 2 * LINE * members, np.int64)


def abort(team: np.ndarray) -> None:
    """Let every waiting member of the team go; their kernels return without doing more."""
    team[ABORTED] = 1


def _pointer(context, builder, array_type, array, i):
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [i])


@intrinsic
def _atomic_add(typing_context, array, i, value):
    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], *arguments[:2])
        return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), generate


@intrinsic
def _atomic_load(typing_context, array, i):
    def generate(context, builder, signature, arguments):
        return builder.load_atomic(_pointer(context, builder, signature.args[0], *arguments), "acquire", 8)

    return types.int64(array, types.intp), generate


@intrinsic
def _atomic_store(typing_context, array, i, value):
    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), generate


@intrinsic
def _atomic_replace(typing_context, array, i, old, new):
    """Write a new number in the place of an old one, if that is still there; tells whether it was."""

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], *arguments[:2])
        return builder.extract_value(builder.cmpxchg(pointer, *arguments[2:], "seq_cst", "acquire"), 1)

    return types.boolean(array, types.intp, types.int64, types.int64), generate


@intrinsic
def _pause(typing_context):
    """Tell the processor that this is a waiting loop, where it has a way to be told."""

    def generate(context, builder, signature, arguments):
        triple = context.codegen().magic_tuple()[0]
        name, values = None, []
        if triple.startswith(("x86_64", "i686")):
            name = "llvm.x86.sse2.pause"
        elif triple.startswith(("aarch64", "arm64")):
            name, values = "llvm.aarch64.hint", [ir.Constant(ir.IntType(32), 1)]
        if name:
            call_llvm(builder, name, ir.VoidType(), *values)
        return context.get_dummy_value()

    return types.void(), generate


_yield_processor = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


@part
def _lines_of(member):
    return MEMBERS + 2 * LINE * member


@part
def wait_a_little(spins):
    """Wait after having waited so often."""
    if spins < SPINS_BEFORE_YIELDING:
        _pause()
    else:
        _yield_processor()


@part
def gives_up(team):
    """Tell whether one of the members will never arrive."""
    return _atomic_load(team, ABORTED) != 0


@part
def meet(team, member, members):
    """Wait until all members have called this equally often. False if the team was aborted instead."""
    if members == 1:
        return True
    mine = _lines_of(member)
    team[mine] += 1
    everyone = team[mine] * members
    _atomic_add(team, ARRIVALS, 1)
    spins = 0
    while _atomic_load(team, ARRIVALS) < everyone:
        if gives_up(team):
            return False
        spins += 1
        wait_a_little(spins)
    return True


@part
def await_taken(team, member):
    """Wait until all pieces that were taken of this member's last offer are done."""
    mine = _lines_of(member)
    taken, spins = team[mine + OFFER] % MANY, 0
    while _atomic_load(team, mine + DONE) < taken:
        spins += 1
        wait_a_little(spins)


@part
def offer(team, member):
    """Offer pieces of this member's work to all, itself included, once those of its last offer, all taken, are done.

    All members make as many offers, and between two of them nobody takes pieces of an earlier one.
    """
    await_taken(team, member)
    mine = _lines_of(member)
    team[mine + OFFERS] += 1
    team[mine + DONE] = 0
    _atomic_store(team, mine + OFFER, team[mine + OFFERS] * MANY)


@part
def take(team, member, owner, count):
    """Return the number of a piece that this member is now to do for an owner, or a large number if none is left.

    The number is negative while the owner has not yet made as many offers as this member. count: of the owner's pieces
    that it may take
    """
    offered, place = team[_lines_of(member) + OFFERS] * MANY, _lines_of(owner) + OFFER
    while True:
        number = _atomic_load(team, place) - offered
        if number < 0:
            return number
        if number >= count:
            return MANY
        if _atomic_replace(team, place, offered + number, offered + number + 1):
            return number


@part
def give_back(team, owner):
    """Tell an owner that a piece which was taken is done."""
    _atomic_add(team, _lines_of(owner) + DONE, 1)
