"""Checks with h5py the file that write_sample() of hdf5_test.cc makes."""
import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1], "r") as file:
    assert file.attrs["version"] == -3 and file.attrs["version"].dtype == np.int64
    assert file.attrs["empty"] in (b"", "")
    method = file["layers"].attrs["method"]
    assert (method.decode() if isinstance(method, bytes) else method) == "ünïcode", method
    assert file["layers"].attrs["scale"] == 0.1
    amax = file["layers/0/amax"]
    assert amax.dtype == np.float32 and amax.shape == (2, 3) and amax.fletcher32
    assert np.array_equal(amax[()], np.array([[1.5, -0.0, np.inf], [3, 4, 5]], np.float32))
    assert np.array_equal(file["layers/0/sum"][()], np.array([1e300, -2]))
    counts = file["layers/1/counts"]
    assert counts.dtype == np.int64 and counts.shape == (3, 1)
    limits = np.iinfo(np.int64)
    assert counts[:, 0].tolist() == [limits.min, 0, limits.max]
    assert file["none"].shape == (0, 4)
