"""What runs a model: LiteRT on exported files, or Keras on weights."""
