"""The categories of ShapeNetCore (Chang et al. 2015, https://arxiv.org/abs/1512.03012), by their WordNet synsets."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "airplane": "02691156",
        "bag": "02773838",
        "basket": "02801938",
        "bathtub": "02808440",
        "bed": "02818832",
        "bench": "02828884",
        "birdhouse": "02843684",
        "bookshelf": "02871439",
        "bottle": "02876657",
        "bowl": "02880940",
        "bus": "02924116",
        "cabinet": "02933112",
        "camera": "02942699",
        "can": "02946921",
        "cap": "02954340",
        "car": "02958343",
        "cellphone": "02992529",
        "chair": "03001627",
        "clock": "03046257",
        "dishwasher": "03207941",
        "display": "03211117",
        "earphone": "03261776",
        "faucet": "03325088",
        "file cabinet": "03337140",
        "flowerpot": "03991062",
        "guitar": "03467517",
        "helmet": "03513137",
        "jar": "03593526",
        "keyboard": "03085013",
        "knife": "03624134",
        "lamp": "03636649",
        "laptop": "03642806",
        "loudspeaker": "03691459",
        "mailbox": "03710193",
        "microphone": "03759954",
        "microwave": "03761084",
        "motorbike": "03790512",
        "mug": "03797390",
        "piano": "03928116",
        "pillow": "03938244",
        "pistol": "03948459",
        "printer": "04004475",
        "remote control": "04074963",
        "rifle": "04090263",
        "rocket": "04099429",
        "skateboard": "04225987",
        "sofa": "04256520",
        "stove": "04330267",
        "table": "04379243",
        "telephone": "04401088",
        "tower": "04460130",
        "train": "04468005",
        "trash bin": "02747177",
        "washer": "04554684",
        "watercraft": "04530566",
    }
)

NAMES: Mapping[str, str] = MappingProxyType({synset: name for name, synset in CATEGORIES.items()})
