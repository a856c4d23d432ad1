# For recipes with several trainings, one after the other: source it.

# Goes on with the run in a folder, or starts it with the settings that follow.
phase() {
  local folder=$1
  shift
  if [ -e "$folder/training.json" ]; then
    tfrnnc-train --resume "$folder"
  else
    tfrnnc-train "$@" --output "$folder"
  fi
}

# Whether the entropy model in a folder had all its epochs. It is trained without checkpoints: an
# unfinished one is made anew.
has_entropy_epochs() {
  local folder=$1 epochs=$2
  [ "$(cat "$folder/entropy_log.csv" 2>/dev/null | wc -l)" -gt "$epochs" ]
}
