"""Makes export/preview/network.tflite, the network of previews, from the preset's decoder.

Run it again when the decoder's file changes: `python tools/make_preview_network.py`.
"""

from __future__ import annotations

from pathlib import Path

from tfrnnc.backend import require_tensorflow
from tfrnnc.files import replacing
from tfrnnc.preview.codec import FOLDER
from tfrnnc.preview.layout import DECODER_FILE
from tfrnnc.preview.weights import read_decoder

OUTPUT = Path(__file__).parents[1] / "export" / "preview"


def main() -> None:
    """Writes the file."""
    require_tensorflow()
    from tfrnnc.export.preview_network import NETWORK_FILE, export_preview_network

    OUTPUT.mkdir(parents=True, exist_ok=True)
    layers = read_decoder((FOLDER / DECODER_FILE).read_bytes()).layers
    content = export_preview_network(layers)
    with replacing(OUTPUT / NETWORK_FILE) as temporary:
        temporary.write_bytes(content)
    print(f"{OUTPUT / NETWORK_FILE}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
