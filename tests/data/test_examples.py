"""Items addressed by position, and batches of them."""

import multiprocessing

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from polydiff.data.balance import weighted
from polydiff.data.codec import Codec
from polydiff.data.example import Example
from polydiff.data.examples import ExampleSet, collate
from polydiff.data.loader import batches
from polydiff.data.source import Source
from polydiff.errors import DataError, UsageError


class Numbers:
    """The numbers 0 to n - 1, labelled by parity; those in `broken` cannot be read."""

    classes = ("even", "odd")
    unreadable: tuple[str, ...] = ()

    def __init__(self, n, broken=()):
        self.n = n
        self.broken = broken

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if index in self.broken:
            raise DataError(f"{self.name(index)}: is broken")
        return Example(float(index), self.name(index), self.label(index), attributes={"square": index**2})

    def name(self, index):
        return f"number {index}"

    def label(self, index):
        return self.classes[index % 2]


class Scalar(Codec):
    """A number as a tensor of one channel and no further dimension."""

    channels = 1
    shape = (1,)

    def shape_for(self, size):
        raise UsageError("a number has no size")

    def encode(self, content):
        return torch.tensor([content], dtype=torch.float32)

    def decode(self, x):
        return x[:, 0].tolist()


def shake(content, rng):
    return content + rng.random()


def examples(n=7, broken=(), **options):
    return ExampleSet(Numbers(n, broken), options.pop("indices", range(n)), Scalar(), **options)


def read(examples, positions, workers=0):
    return torch.cat([batch.x[:, 0] for batch in batches(examples, positions, workers=workers)]).tolist()


def test_the_toy_is_a_source():
    assert isinstance(Numbers(3), Source)


def test_each_epoch_visits_every_item_in_an_order_of_its_own():
    chosen = examples(indices=[1, 2, 5, 6])
    epochs = [[chosen[epoch * 4 + place].x.item() for place in range(4)] for epoch in range(20)]
    assert all(sorted(epoch) == [1, 2, 5, 6] for epoch in epochs)
    assert len(set(map(tuple, epochs))) > 10


def test_without_shuffling_items_come_in_the_order_of_the_indices():
    chosen = examples(indices=[5, 1, 6], shuffle=False)
    assert [chosen[position].x.item() for position in range(6)] == [5, 1, 6, 5, 1, 6]


def test_an_item_depends_on_its_position_alone():
    positions = list(range(30))
    forwards, backwards = examples(augment=[shake]), examples(augment=[shake])
    there = [forwards[position].x.item() for position in positions]
    back = [backwards[position].x.item() for position in reversed(positions)]
    assert there == back[::-1]


def test_another_seed_gives_another_order_and_other_augmentations():
    assert [examples(seed=1)[p].x.item() for p in range(7)] != [examples(seed=2)[p].x.item() for p in range(7)]
    unshuffled = [examples(seed=seed, augment=[shake], shuffle=False)[0].x.item() for seed in (1, 2)]
    assert unshuffled[0] != unshuffled[1]


def test_augmentation_is_seeded_by_seed_position_and_index():
    item = examples(seed=4, augment=[shake], indices=[3, 6], shuffle=False)[2 * 2 + 1]
    assert item.x.item() == pytest.approx(6 + np.random.default_rng((4, 5, 6)).random())


def test_workers_change_nothing():
    positions = [range(start, start + 5) for start in range(0, 40, 5)]
    chosen = examples(broken=(2,), augment=[shake])
    assert read(chosen, positions, workers=2) == read(chosen, positions)


def test_a_plain_data_loader_serves_too():
    loader = DataLoader(examples(shuffle=False), batch_size=3, sampler=[0, 8, 9, 3], collate_fn=collate)
    assert [batch.x[:, 0].tolist() for batch in loader] == [[0, 1, 2], [3]]
    assert [batch.positions.tolist() for batch in loader] == [[0, 8, 9], [3]]


def test_conditions_are_prepared_from_the_facts_of_that_name():
    prepare = {"label": ("even", "odd").index, "square": float, "caption": lambda caption: caption}
    batch = collate([examples(prepare=prepare, shuffle=False)[position] for position in (2, 3)])
    assert batch.conditions == {"label": [0, 1], "square": [4.0, 9.0], "caption": [None, None]}
    assert batch.positions.dtype == torch.int64
    assert len(batch) == 2


def test_moving_a_batch_moves_x():
    batch = collate([examples()[0]]).to("meta")
    assert batch.x.device.type == "meta"
    assert batch.positions.device.type == "cpu"


def test_an_unreadable_item_is_replaced_by_its_neighbour():
    chosen = examples(broken=(1, 2), shuffle=False)
    items = [chosen[position] for position in range(7)]
    assert [item.x.item() for item in items] == [0, 3, 3, 3, 4, 5, 6]
    assert items[1].unreadable == ("number 1: is broken", "number 2: is broken")
    assert items[1].position == 1


def test_the_last_item_has_the_first_as_its_neighbour():
    assert examples(broken=(6,), shuffle=False)[6].x.item() == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_item_is_reported_once(workers):
    positions = [range(start, start + 7) for start in range(0, 35, 7)]
    chosen = examples(broken=(1, 4))
    lines = [line for batch in batches(chosen, positions, workers=workers) for line in batch.unreadable]
    assert sorted(lines) == ["number 1: is broken", "number 4: is broken"]


def test_a_condition_that_cannot_be_prepared_makes_an_item_unreadable():
    def refuse(label):
        if label == "odd":
            raise DataError("there is no class 'odd'")
        return 0

    item = examples(prepare={"label": refuse}, shuffle=False)[1]
    assert (item.x.item(), item.unreadable) == (2, ("number 1: there is no class 'odd'",))


def test_stop_raises_what_is_unreadable():
    chosen = examples(broken=(1,), shuffle=False, on_error="stop")
    assert chosen[0].x.item() == 0
    with pytest.raises(DataError, match="number 1: is broken"):
        chosen[1]


@pytest.mark.parametrize("workers", [0, 1])
def test_stop_stops_the_loader(workers):
    chosen = examples(broken=(1,), shuffle=False, on_error="stop")
    with pytest.raises(DataError, match=r"^number 1: is broken$"):
        list(batches(chosen, [[0], [1]], workers=workers))


def test_an_error_ends_the_loading_processes_at_once():
    stream = batches(examples(broken=(1,), shuffle=False, on_error="stop"), [[0], [1], [2]], workers=1)
    next(stream)
    with pytest.raises(DataError) as caught:
        next(stream)
    assert caught.tb is not None  # which would hold the processes
    assert not multiprocessing.active_children()


def test_an_order_of_shares_is_the_same_with_workers_and_augments_repeats_anew():
    labels, positions = ["even", "odd", "even", "even", "even", "even"], [range(k, k + 6) for k in range(0, 60, 6)]
    order = weighted(labels, [0] * 6, balance="class")
    chosen = examples(n=6, order=order, augment=[shake])
    met = read(chosen, positions)
    assert met == read(chosen, positions, workers=2)
    assert met[30:] == read(
        examples(n=6, order=weighted(labels, [0] * 6, balance="class"), augment=[shake]), positions[5:]
    )
    assert sum(int(x) == 1 for x in met) == 30
    assert len(set(met)) == 60


def test_stop_raises_what_the_scan_left_out():
    source = Numbers(3)
    source.unreadable = ("four.png: is no picture",)
    assert len(ExampleSet(source, range(3), Scalar())) == 3
    with pytest.raises(DataError, match=r"four\.png: is no picture"):
        ExampleSet(source, range(3), Scalar(), on_error="stop")


def test_a_set_of_which_nothing_can_be_read_is_refused():
    with pytest.raises(DataError, match="none of the 3 items can be read; the last: number"):
        examples(3, broken=(0, 1, 2))[0]


def test_an_empty_set_is_refused():
    with pytest.raises(DataError, match="no item"):
        examples(indices=[])


def test_masks_go_with_their_items():
    class Halves(Scalar):
        def mask(self, content):
            return torch.tensor([content % 2])

    chosen = ExampleSet(Numbers(9), range(9), Halves(), shuffle=False)
    batch = collate([chosen[position] for position in (2, 3, 5)])
    assert batch.mask.tolist() == [[0], [1], [1]]
    assert batch.to("meta").mask.device.type == "meta"
    assert collate([examples()[0]]).mask is None
