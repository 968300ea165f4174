"""Writes images of many forms through Pillow into FOLDER, each with the samples that Pillow reads back (NAME.raw)."""
import pathlib
import sys

import numpy
from PIL import Image

folder = pathlib.Path(sys.argv[1])
y, x = numpy.mgrid[0:37, 0:53]
colours = Image.fromarray(numpy.stack([(x * 4 + y) % 256, (y * 6) % 256, (x * y) % 256], -1).astype(numpy.uint8))
images = {
    "half.jpg": (colours, {"quality": 80}),
    "progressive.jpg": (colours, {"quality": 90, "progressive": True, "subsampling": 0}),
    "gray.jpg": (colours.convert("L"), {}),
    "colours.png": (colours, {}),
    "palette.png": (colours.convert("P"), {}),
    "alpha.png": (colours.convert("RGBA"), {}),
    "gray_alpha.png": (colours.convert("LA"), {}),
    "bits.png": (colours.convert("1"), {}),
}
for name, (image, options) in images.items():
    image.save(folder / name, **options)
    read = Image.open(folder / name)
    samples = numpy.asarray(read.convert("L" if read.mode in ("L", "LA", "1") else "RGB"))
    planes = samples[None] if samples.ndim == 2 else samples.transpose(2, 0, 1)
    (folder / (name + ".raw")).write_bytes(planes.tobytes())
