"""Write a folder of handwritten digits, each with a sound of its name; needs polydiff-image, -audio and espeak-ng.

    python examples/spoken_digits.py spoken-digits
    polydiff train examples/spoken-digits.yaml --out runs/spoken-digits
    polydiff generate runs/spoken-digits -n 8 --condition sound=spoken-digits/held-out/sounds/00000.wav --out out

`train` has four fifths of the digits, each several times with different sounds, `held-out` the others, spoken in
accents and by voices that `train` never has. A line of `metadata.csv` tells each picture's sound. Labels are for those
who judge: the recipe has the condition `sound` alone, so that what to draw can only be heard.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile
from polydiff_audio.espeak import Espeak
from polydiff_image.digits import Digits

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

VOICES = {
    "train": (
        *("en-029", "en-029+m2", "en-gb", "en-gb+f2", "en-gb+f4", "en-gb+m1", "en-gb+m5", "en-gb-scotland"),
        *("en-gb-scotland+f3", "en-us", "en-us+f1", "en-us+f3", "en-us+m3", "en-us+m7"),
    ),
    "held-out": ("en-gb-x-gbclan+f5", "en-gb-x-gbcwmd+m8", "en-gb-x-rp", "en-us-nyc+m6"),
}

RATE = 8000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="to be made")
    parser.add_argument("--count", type=int, help="how many of the digits; all when left out")
    parser.add_argument("--times", type=int, default=3, help="how often each digit of `train` is there")
    options = parser.parse_args()
    digits = Digits()
    order = np.random.default_rng(0).permutation(len(digits))[: options.count]
    held = len(order) // 5
    write(options.folder / "held-out", digits, order[:held], VOICES["held-out"], seed=1)
    write(options.folder / "train", digits, np.tile(order[held:], options.times), VOICES["train"], seed=0)


def write(folder, digits, indices, voices, seed):
    """Write the digits of these indices, a sound for each, and the table."""
    words = tuple(WORDS[int(digits.label(i))] for i in indices)
    spoken = Espeak(words, voices=voices, speeds=(140, 210), pitches=(25, 75), rate=RATE, seed=seed)
    for part in ("pictures", "sounds"):
        (folder / part).mkdir(parents=True)
    with (folder / "metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file_name", "sound_file_name", "label", "voice"))
        for row, index in enumerate(indices):
            picture, sound = f"pictures/{row:05}.png", f"sounds/{row:05}.wav"
            said = spoken[row]
            digits[index].content.save(folder / picture)
            soundfile.write(folder / sound, said.content.samples.T, RATE)
            table.writerow((picture, sound, digits.label(index), said.attributes["voice"]))
    print(f"{folder}: {len(indices)} pictures and sounds by {len(voices)} voices")


if __name__ == "__main__":
    main()
