"""Packs a folder of images into shards on Ray Data (pip install 'tfrnnc[shards]' 'ray[data]').

python examples/pack_on_ray.py FOLDER OUTPUT
"""

import sys

import ray

import tfrnnc
from tfrnnc.pipelines import Shard, assign_to_shards, encode_shard, list_images

FOLDER, OUTPUT = sys.argv[1:]
SHARDS, PROCESSES = 4, 2


class Pack:
    """Makes one shard of a row; Ray makes one for each of its processes."""

    def __init__(self):
        self.codec = tfrnnc.load(threads=1)

    def __call__(self, row):
        shard = Shard(OUTPUT, int(row["shard"]), SHARDS)
        items = [(str(key), str(path)) for key, path in zip(row["keys"], row["paths"], strict=True)]
        report = encode_shard(shard, items, self.codec, tfrnnc.EncodeOptions(max_bytes=64))
        return {"path": report.path, "images": report.images, "failures": len(report.failures)}


assigned = assign_to_shards(list_images(FOLDER), SHARDS)
rows = [
    {"shard": number, "keys": [key for key, _ in items], "paths": [path for _, path in items]}
    for number, items in enumerate(assigned)
]
for report in ray.data.from_items(rows).map(Pack, concurrency=PROCESSES).take_all():
    print(report)
