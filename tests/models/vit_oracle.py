"""Vision transformers as transformers computes them, and pixels as its image processor (on PIL) makes them.

vit_oracle.py make FOLDER      FOLDER/CASE/ (a checkpoint), CASE.safetensors (pixels, logits)
vit_oracle.py images FOLDER    FOLDER/CASE.json (preprocessor_config.json), CASE.safetensors (image, pixels)
vit_oracle.py logits PIXELS OUT DIR...  OUT: logits of each directory, by its name; prints quantized modules
"""
import json
import pathlib
import sys

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageClassification, ViTConfig, ViTForImageClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.utils import logging

logging.set_verbosity_error()
SIZES = dict(hidden_size=48, num_hidden_layers=3, num_attention_heads=6, intermediate_size=80, layer_norm_eps=1e-6)
CASES = {
    "gray": (dict(image_size=28, patch_size=4, num_channels=1, num_labels=10), torch.float32),
    "color": (dict(image_size=32, patch_size=8, num_channels=3, qkv_bias=False, layer_norm_eps=1e-12,
                   hidden_act="gelu_new"), torch.float16),
    "rectangle": (dict(image_size=[30, 22], patch_size=[8, 5], num_labels=3), torch.float32),
}
# name: (size of the image, mode, the processor's options)
IMAGES = {
    "gray": ((28, 28), "L", dict(do_resize=False, image_mean=[0.286], image_std=[0.353])),
    "color": ((20, 24), "RGB", dict(do_resize=False, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])),
    "raw": ((9, 7), "RGB", dict(do_resize=False, do_normalize=False, rescale_factor=1 / 127.5)),
    "bytes": ((9, 7), "L", dict(do_resize=False, do_rescale=False, image_mean=[3.0], image_std=[7.0])),
    "smaller": ((101, 67), "RGB", dict(size={"height": 32, "width": 24})),
    "smaller_bicubic": ((101, 67), "RGB", dict(size={"height": 32, "width": 24}, resample=3)),
    "larger": ((13, 11), "L", dict(size={"height": 28, "width": 40}, image_mean=[0.5], image_std=[0.5])),
    "larger_bicubic": ((13, 11), "L", dict(size={"height": 28, "width": 40}, resample=3, image_mean=[0.5],
                                           image_std=[0.5])),
    "one_way": ((32, 50), "RGB", dict(size={"height": 32, "width": 20})),
    "to_gray": ((28, 28), "RGB", dict(do_resize=False, image_mean=[0.5], image_std=[0.5])),
    "to_color": ((28, 28), "L", dict(do_resize=False, do_convert_rgb=True)),
}


def make(folder):
    for seed, (name, (options, dtype)) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        model = ViTForImageClassification(ViTConfig(**{**SIZES, **options})).eval()
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "layernorm" in key and key.endswith("weight"):
                    parameter.normal_(1, 0.3)
                elif key.endswith("bias") or "token" in key or "position" in key:
                    parameter.normal_(0, 0.5)
                else:
                    parameter.normal_(0, 1.5 * parameter[0].numel() ** -0.5)
        model.to(dtype).save_pretrained(folder / name)
        size = model.config.image_size if isinstance(model.config.image_size, list) else [model.config.image_size] * 2
        pixels = torch.randn(5, model.config.num_channels, *size)
        with torch.no_grad():
            logits = model.float()(pixels).logits
        save_file({"pixels": pixels, "logits": logits}, folder / f"{name}.safetensors")


def images(folder):
    random = numpy.random.default_rng(3)
    for name, ((height, width), mode, options) in IMAGES.items():
        noise = random.integers(0, 256, (height, width) if mode == "L" else (height, width, 3))
        waves = 127.5 + 127.5 * numpy.sin(numpy.arange(height) / 5)[:, None] * numpy.cos(numpy.arange(width) / 7)[None]
        array = (0.5 * noise + 0.5 * (waves if mode == "L" else waves[..., None])).clip(0, 255).astype(numpy.uint8)
        array[:2, :3] = 255
        array[2:4, :3] = 0
        image = Image.fromarray(array)
        stored = numpy.atleast_3d(array).transpose(2, 0, 1)
        converted = image.convert("L") if name == "to_gray" else image
        processor = ViTImageProcessorPil(**options)
        pixels = processor(converted, return_tensors="pt").pixel_values[0]
        processor.save_pretrained(folder / name)
        (folder / name / "preprocessor_config.json").rename(folder / f"{name}.json")
        save_file({"image": torch.from_numpy(stored.copy()), "pixels": pixels.float().contiguous()},
                  folder / f"{name}.safetensors")


def logits(pixels, out, *directories):
    stored, counts = load_file(pixels)["pixels"], {}
    results = {}
    for directory in map(pathlib.Path, directories):
        model = AutoModelForImageClassification.from_pretrained(directory, dtype=torch.float32).eval()
        with torch.no_grad():
            results[directory.name] = model(stored).logits.contiguous()
        counts[directory.name] = sum(hasattr(module, "quantization_scheme") for module in model.modules())
    save_file(results, out)
    print(json.dumps(counts))


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"make": make, "images": images, "logits": logits}[command](*(
        [pathlib.Path(arguments[0])] if command != "logits" else arguments))
