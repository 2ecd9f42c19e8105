"""How good are the sounds of a trained model?

    polydiff train synth-notes --out runs/notes      &&  python benchmarks/audio.py notes runs/notes
    polydiff train notes-text --out runs/told        &&  python benchmarks/audio.py notes runs/told
    polydiff train speech-digits --out runs/speech   &&  python benchmarks/audio.py speech runs/speech

All sounds are judged as they come out of 16-bit WAV files, the model's as `polydiff generate` writes them.

notes    the share within half a semitone of the pitch asked for, and that of the timbre asked for by a classifier of
         real notes; asked by label and pitch or by text, as the model takes it. See `audio_notes.py`.
speech   the share of words that a classifier of real speech takes for the word asked for, and the Frechet distance to
         real speech in that classifier's hidden layer. Beside them those of real speech, of the round trip through each
         codec and of noise; `--throwaway` trains a plain network of 4.6 million parameters for 900 steps of 32 here,
         and judges it likewise. See `audio_speech.py`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from audio_notes import notes
from audio_speech import speech


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["notes", "speech"])
    parser.add_argument("run", type=Path, help="folder of a run of one of these presets")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--throwaway", action="store_true", help="speech: train and judge the plain network, too")
    options = parser.parse_args()
    if options.what == "notes":
        notes(options.run, options.samples, options.seed)
    else:
        speech(options.run, options.samples, options.seed, throwaway=options.throwaway)


if __name__ == "__main__":
    main()
