"""Many images at once: shards of codes in Parquet, written on any engine and read back."""

from tfrnnc.pipelines.decoded_images import DecodedImages
from tfrnnc.pipelines.encode_shard import ShardReport, encode_shard
from tfrnnc.pipelines.inputs import assign_to_shards, list_images, read_list
from tfrnnc.pipelines.packed_images import PackedImage, PackedImages
from tfrnnc.pipelines.shard import Shard, shard_of

__all__ = [
    "DecodedImages",
    "PackedImage",
    "PackedImages",
    "Shard",
    "ShardReport",
    "assign_to_shards",
    "encode_shard",
    "list_images",
    "read_list",
    "shard_of",
]
