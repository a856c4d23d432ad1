"""Packs a folder of images into shards on Ray Data (pip install 'tfrnnc[shards]' 'ray[data]').

python examples/pack_on_ray.py FOLDER OUTPUT [SHARDS]
"""

import sys

import ray

import tfrnnc
from tfrnnc.pipelines import Shard, assign_to_shards, encode_shard, list_images

FOLDER, OUTPUT, SHARDS = sys.argv[1], sys.argv[2], int((sys.argv[3:] or ["4"])[0])


def pack(row):
    """Makes one shard, and says what is in it."""
    shard = Shard(OUTPUT, row["id"], SHARDS)
    images = ray.get(images_of_shards)[shard.index]
    codec = tfrnnc.load(threads=1)
    report = encode_shard(shard, images, codec, tfrnnc.EncodeOptions(max_bytes=64))
    return {"shard": report.path, "images": report.images, "failures": len(report.failures)}


images_of_shards = ray.put(assign_to_shards(list_images(FOLDER), SHARDS))
for report in ray.data.range(SHARDS).map(pack).take_all():
    print(report)
