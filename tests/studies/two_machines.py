"""Score pairs on a Ray cluster of two machines, of which one is lost in between.

python two_machines.py FOLDER    which holds pairs.parquet and a model, `reward`; prints JSON

The machines are Ray's own imitation: two sets of processes on this one.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

# Ray reads them when it is imported; a busy machine needs longer to start its processes.
os.environ |= dict(RAY_raylet_start_wait_time_s="200", RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")

import numpy as np

from plurality_nb.data.loading import load_comparisons
from plurality_nb.studies.row_stages import ScoreStage
from plurality_nb.studies.workers import Workers, _import_ray, map_blocks

MACHINE = dict(num_cpus=1, object_store_memory=2**27)


def main(folder: Path) -> None:
    _import_ray(alone=True)
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=MACHINE | dict(include_dashboard=False))
    other = cluster.add_node(**MACHINE)
    ds = load_comparisons(folder / "pairs.parquet")
    stage = ScoreStage(str(folder / "reward"))
    parts = folder / "parts"
    kept = []

    def lose_machine() -> None:
        while not list(parts.glob("part-*")):
            time.sleep(0.02)
        kept.extend((part.name, part.stat().st_mtime_ns) for part in parts.glob("part-*"))
        cluster.remove_node(other, allow_graceful=False)

    threading.Thread(target=lose_machine, daemon=True).start()
    merged = map_blocks(ds, stage, Workers(address=cluster.address), parts, progress=False)
    one = stage.open()(ds).columns
    gaps = [
        np.abs(np.subtract(one[name].to_numpy(), merged.columns[name].to_numpy(), dtype=float))
        for name in ("reward_a", "reward_b")
    ]
    again = [name for name, at in kept if (parts / name).stat().st_mtime_ns != at]
    left = len(cluster.list_all_nodes())
    cluster.shutdown()
    print(json.dumps(dict(gap=float(np.max(gaps)), kept=len(kept), again=again, machines=left)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
