"""A model's folder: its file names, manifest, identity and presets.

Only `tfrnnc.model_folder.keras_model` needs Keras.
"""
