"""What Pillow and transformers make of small pictures: one JSON on stdout. `python3 tests/parity/pictures/pillow.py > tests/parity/pictures/pillow.json`

out: {"versions", "resized": [{"from": [h, w], "to": [h, w], "resample": int, "bytes": base64 of RGB}],
      "files": [{"kind": str, "file": base64, "rgb": base64}], "processor": {"config", "file": base64, "pixels": [float]}}
Pictures follow from their sizes alone: tests/pictures.test.ts draws the same.
"""

import base64
import io
import json

import numpy as np
import PIL
import transformers
from PIL import Image


def drawn(h, w):
    i = np.arange(h * w * 3, dtype=np.int64)
    return ((i * 7919 + (i // 3) * 104729) % 256).astype(np.uint8).reshape(h, w, 3)


def b64(data):
    return base64.b64encode(bytes(data)).decode()


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


resized = [
    {"from": [h, w], "to": [th, tw], "resample": resample, "bytes": b64(np.asarray(Image.fromarray(drawn(h, w)).resize((tw, th), resample)))}
    for (h, w), (th, tw) in [((12, 12), (16, 16)), ((20, 13), (8, 8)), ((13, 20), (8, 9)), ((7, 9), (7, 4))]
    for resample in (0, 1, 2, 3, 4)
]

smooth = np.stack(np.meshgrid(np.arange(0, 240, 10), np.arange(0, 240, 15), indexing="ij"), -1)
smooth = np.concatenate([smooth, smooth[..., :1] // 2], -1).astype(np.uint8)  # [24, 16, 3]
grey = Image.fromarray(drawn(5, 6)[..., 0])
clear = Image.fromarray(np.concatenate([drawn(4, 4), drawn(4, 4)[..., :1]], -1))
palette = Image.fromarray(drawn(6, 6)).quantize(8)
pictures = [
    ("RGB PNG", saved(Image.fromarray(drawn(6, 5)), "PNG")),
    ("grey PNG", saved(grey, "PNG")),
    ("transparent PNG", saved(clear, "PNG")),
    ("PNG with a palette", saved(palette, "PNG")),
    ("JPEG", saved(Image.fromarray(smooth), "JPEG", quality=92, subsampling=0)),
]
files = [{"kind": kind, "file": b64(file), "rgb": b64(np.asarray(Image.open(io.BytesIO(file)).convert("RGB")))} for kind, file in pictures]

config = {
    "do_resize": True, "size": {"height": 9, "width": 9}, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": [0.48, 0.45, 0.4], "image_std": [0.27, 0.26, 0.28],
}  # fmt: skip
source = Image.fromarray(drawn(14, 11))
pixels = transformers.ViTImageProcessor(**config)(source, return_tensors="np")["pixel_values"][0]
print(
    json.dumps(
        {
            "versions": {"pillow": PIL.__version__, "transformers": transformers.__version__},
            "resized": resized,
            "files": files,
            "processor": {"config": config, "file": b64(saved(source, "PNG")), "pixels": [round(float(x), 7) for x in pixels.flatten()]},
        }
    )
)
