"""Reads DIR/ours.safetensors with the reference implementation and saves it as DIR/theirs.safetensors."""
import ctypes
import sys

from safetensors import TensorSpec, deserialize, serialize_file

folder = sys.argv[1]
with open(f"{folder}/ours.safetensors", "rb") as file:
    tensors = dict(deserialize(file.read()))
expected = {
    "h": ("F16", [2, 2], b"\x00\x3c\x00\xc0\xff\x7b\x01\x00"),
    "ü": ("I8", [3], b"\x01\x80\x7f"),
    "e": ("F32", [0, 5], b""),
    "s": ("I64", [], b"\xfb" + b"\xff" * 7),
    "g": ("BF16", [1], b"\xc0\x3f"),
    "f": ("F32", [1], b"\xcd\xcc\xcc\x3d"),
}
assert tensors.keys() == expected.keys(), tensors.keys()
for name, (dtype, shape, data) in expected.items():
    found = tensors[name]
    assert (found["dtype"], list(found["shape"]), bytes(found["data"])) == (dtype, shape, data), (name, found)
NAMES = {"F16": "float16", "I8": "int8", "F32": "float32", "I64": "int64", "BF16": "bfloat16"}
alive = {name: ctypes.create_string_buffer(data, max(len(data), 1)) for name, (_, _, data) in expected.items()}
specs = {
    name: TensorSpec(dtype=NAMES[dtype], shape=shape, data_ptr=ctypes.addressof(alive[name]), data_len=len(data))
    for name, (dtype, shape, data) in expected.items()
}
serialize_file(specs, f"{folder}/theirs.safetensors", {"format": "pt"})
