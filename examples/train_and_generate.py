"""Train a model and generate from it, in Python; needs the plugin polydiff-image.

Training stops after some seconds here, when digits are still rough; `polydiff train digits` goes on for minutes.
"""

import tempfile
from pathlib import Path

import polydiff
from polydiff.plugins.host import host
from polydiff.recipe.load import load_recipe
from polydiff.training.assemble import assemble
from polydiff.training.processes import launch
from polydiff.training.record import Run
from polydiff.training.train import train

changes = ["train.steps=150", "train.batch=64", "train.optimizer={lr: 3e-3, warmup: 20}", "train.ema.decay=0.95"]
parts = assemble(load_recipe(host().preset("digits"), changes))

with tempfile.TemporaryDirectory() as folder:
    run = Run(Path(folder), parts.recipe)
    outcome = train(parts, run, launch(precision="32-true"), host=host())
    print(f"{outcome.reason} after {outcome.progress.step} steps")
    model = polydiff.load(folder)

pictures = model.generate(4, label="all", seed=0, guidance=2.0)
shades = " .:-=+*#%@"
for picture in pictures:
    for y in range(picture.height):
        print("".join(shades[picture.getpixel((x, y)) * 9 // 255] * 2 for x in range(picture.width)))
    print()
