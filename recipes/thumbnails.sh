#!/usr/bin/env bash
# Measures the README's table, the default preset against JPEG: DATA=FOLDER recipes/thumbnails.sh
set -euo pipefail
DATA=${DATA:?set DATA to the folder of the data sets}
tfrnnc-evaluate --data "$DATA/thumbnails/val" --protocol paper \
  --codec conv_lstm_medium,jpeg --bytes 16,32,64,128
