"""How good are the shapes of a trained model, and what does it cost?

    polydiff train furniture --out runs/furniture  &&  python benchmarks/pointcloud.py runs/furniture
    python benchmarks/pointcloud.py --scaling

The first prints, for real shapes against others, noise and the model's against shapes that it was not trained on:
1-nearest-neighbour accuracy (50 % is ideal), coverage and minimum matching distance, by Chamfer and by earth mover's
distance, the divergence of occupancy, and the share that a classifier trained on real shapes alone takes for the kind
asked for; the same share for other numbers of points; and whether meshes of generated tables are watertight and near.
A picture of all side by side goes beside the run. See `pointcloud_quality.py`.

The second measures training steps against the number of points. See `pointcloud_scaling.py`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pointcloud_quality import quality
from pointcloud_scaling import scaling


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="folder of a run of the preset `furniture`")
    parser.add_argument("--scaling", action="store_true", help="measure training steps instead; needs no run")
    parser.add_argument("--samples", type=int, default=200, help="shapes of each contestant")
    parser.add_argument("--emd-points", type=int, default=128, help="points of each shape in earth mover's distances")
    parser.add_argument("--seed", type=int, default=0, help="of the generated set")
    parser.add_argument("--picture", type=Path, help="instead of RUN/benchmark.png, or ./pointcloud-scaling.png")
    options = parser.parse_args()
    if options.scaling:
        scaling(options.picture or Path("pointcloud-scaling.png"))
    elif options.run is None:
        parser.error("give the folder of a run, or --scaling")
    else:
        picture = options.picture or options.run / "benchmark.png"
        quality(options.run, options.samples, options.emd_points, options.seed, picture)


if __name__ == "__main__":
    main()
