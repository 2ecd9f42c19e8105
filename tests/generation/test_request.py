import pytest

from polydiff.errors import UsageError
from polydiff.generation.request import MICRO_BATCH, Request


def test_batches_follow_one_another():
    batches = list(Request(count=10, first=3, batch=4).batches())
    assert [list(batch.indices) for batch in batches] == [[3, 4, 5, 6], [7, 8, 9, 10], [11, 12]]
    assert all(batch.wanted == batch.indices for batch in batches)


@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize(("first", "count"), [(0, 1), (0, 16), (5, 40), (15, 2), (32, 16)])
def test_exact_batches_are_whole_and_aligned(first, count, batch):
    request = Request(count=count, first=first, batch=batch, exact=True)
    batches = list(request.batches())
    for each in batches:
        assert len(each.indices) == MICRO_BATCH
        assert each.indices.start % MICRO_BATCH == 0
        assert set(each.wanted) <= set(each.indices)
        assert len(each.wanted) > 0
    assert [i for each in batches for i in each.wanted] == list(range(first, first + count))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"batch": 0}, {"first": -1}, {"seed": -1}, {"seed": 1 << 64}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError):
        Request(**wrong)
