#!/usr/bin/env bash
# Measures the README's table, the default preset against JPEG: recipes/thumbnails.sh DATA
set -euo pipefail
data=${1:?give the folder of the data}
tfrnnc-evaluate --data "$data/thumbnails/val" --protocol paper \
  --codec conv_lstm_small,conv_lstm_small@2,jpeg --bytes 16,32,64,128
