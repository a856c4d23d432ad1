#!/usr/bin/env bash
# Trains the preset `preview`: DATA holds native/ and thumbnails/; the run goes to the folder that is
# given. --epochs makes it longer.
set -euo pipefail
DATA=${DATA:?set DATA to the folder of the data sets}
RUN=${1:?name the folder of the run}
shift
exec tfrnnc-train preview --data "$DATA/thumbnails/train" --data "$DATA/native/train" \
  --validation "$DATA/thumbnails/val" --seed 1 --output "$RUN" "$@"
