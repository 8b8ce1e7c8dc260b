"""Orders of rows, against those that NumPy's own generators draw."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmlp.sampling import epoch_order, shuffled_orders

# around powers of 2, where fewer bits are drawn from then on, and around whole blocks of draws
SIZES = [0, 1, 2, 3, 4, 5, 255, 256, 257, 258, 511, 512, 513, 514, 767, 1000, 65_536, 65_537, 100_003]
BITS = [np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("rows", SIZES)
def test_the_order_and_what_is_drawn_after_it_are_those_of_numpy(rows, bits):
    ours, theirs = bits(7), np.random.RandomState(bits(7))
    order, expected = np.arange(rows), np.arange(rows)
    for count in (1, 3, 2):
        orders = shuffled_orders(order, count, ours)
        assert orders.shape == (count, rows)
        for order in orders:  # the last of which the next ones begin with
            theirs.shuffle(expected)
            np.testing.assert_array_equal(order, expected)
    assert np.random.RandomState(ours).randint(2**31) == theirs.randint(2**31)


@given(st.integers(0, 3000), st.integers(0, 2**32 - 1))
def test_an_epoch_visits_rows_in_the_order_of_a_permutation(rows, seed):
    random = np.random.default_rng(seed)
    np.testing.assert_array_equal(epoch_order(random, rows, "shuffle"), np.random.default_rng(seed).permutation(rows))


def test_orders_are_uniform():
    rows, rounds = 5, 24_000
    bits, counts = np.random.PCG64(1), np.zeros((rows, rows))
    for _ in range(rounds):
        order = shuffled_orders(np.arange(rows), 1, bits)[0]
        counts[order, np.arange(rows)] += 1
    expected = rounds / rows
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected * (1 - 1 / rows))


def test_threads_that_share_a_generator_each_get_a_permutation():
    bits = np.random.MT19937(3)
    with ThreadPoolExecutor(8) as pool:
        orders = list(pool.map(lambda _: shuffled_orders(np.arange(20_000), 1, bits)[0], range(8)))
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(20_000))
    assert len({order.tobytes() for order in orders}) == len(orders)
