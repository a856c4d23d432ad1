"""Keras models to SavedModels and TFLite files, one iteration of the encoder and decoder each.

`tfrnnc.export.tflite` and `tfrnnc.export.saved_model` need TensorFlow. What they made is described
by `tfrnnc.model_folder.manifest`, which needs nothing.
"""
