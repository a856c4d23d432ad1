"""The names of the files in a model's folder."""

CONFIG_FILE = "config.json"  #: a model's settings and identity
WEIGHTS_FILE = "model.weights.h5"  #: a model's weights
MANIFEST_FILE = "manifest.json"  #: what a client must know of the exported files
INT8_FOLDER = "int8"  #: a preset's further TFLite files, with 8-bit arithmetic
ENTROPY_MODEL_FILE = "entropy_model.bin"  #: probabilities of the model's bits
MODEL_CARD_FILE = "MODEL_CARD.md"  #: what a preset is, and what was measured of it
SETTINGS_FILE = "training.json"  #: all that a training run needs to be repeated
CHECKPOINT_FILE = "checkpoint.weights.h5"  #: what a training run goes on from
LOG_FILE = "log.csv"  #: what a training run measured
ENTROPY_WEIGHTS_FILE = "entropy_network.weights.h5"  #: what the entropy model was made from
ENTROPY_SETTINGS_FILE = "entropy_training.json"  #: what SETTINGS_FILE is, of the entropy model
ENTROPY_LOG_FILE = "entropy_log.csv"  #: what LOG_FILE is, of the entropy model
