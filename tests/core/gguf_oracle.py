"""Compares DIR/NAME.f32, dequantized by us, with the gguf package's own result for MODEL, bit for bit."""
import pathlib
import sys

import gguf
import numpy as np

model, folder = sys.argv[1:]
tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(model).tensors}
files = sorted(pathlib.Path(folder).glob("*.f32"))
assert files
for file in files:
    tensor = tensors[file.name.removesuffix(".f32")]
    ours = np.fromfile(file, np.uint32)
    theirs = np.ascontiguousarray(gguf.quants.dequantize(tensor.data, tensor.tensor_type), np.float32)
    theirs = theirs.reshape(-1).view(np.uint32)
    # -0 and 0 are one number: the order of operations in NumPy decides the sign of a zero.
    same = (ours == theirs) | ((ours | theirs) == 0x80000000)
    # fp16 NaN payloads aside, which random fp16 bits can hold.
    same |= np.isnan(ours.view(np.float32)) & np.isnan(theirs.view(np.float32))
    assert ours.size == theirs.size and same.all(), (file.name, np.flatnonzero(~same)[:5])
