"""Opens a calibration store with h5py and recomputes all of one site from its raw inputs."""
import json
import sys

import h5py
import numpy as np

SITE = "layers.0.qkv"


def check_histogram(data, magnitudes):
    most = float(magnitudes.max())
    exponent = int(np.floor(np.log2(most))) + 1
    width = 2.0 ** (exponent - 11)
    nonzero = magnitudes[magnitudes > 0].astype(np.float64)
    counts = np.bincount(np.floor(nonzero / width).astype(np.int64), minlength=2048)
    assert data.dtype == np.dtype("<i8") and data.shape == (2048,)
    assert np.array_equal(data[:], counts)
    attributes = dict(data.attrs)
    assert attributes == {
        "absmax": most,
        "bin_width": width,
        "exponent": exponent,
        "total": magnitudes.size,
        "zeros": magnitudes.size - nonzero.size,
    }, attributes


with h5py.File(sys.argv[1], "r") as store:
    root = store.attrs
    assert (root["format"], root["version"]) in [("octet-calibration", 1), (b"octet-calibration", 1)]
    assert json.loads(root["provenance"])["options"] == {"seed": 1}
    assert (root["shard"], root["shards"], root["units_total"]) == (0, 3, 7)
    assert store["units"].dtype == np.dtype("<i8") and store["units"][:].tolist() == [0, 3, 6]
    assert sorted(store["sites"]) == ["layers.0.down", SITE] and store["sites"].attrs["count"] == 2
    site = store["sites"][SITE]
    x = np.abs(np.fromfile(sys.argv[2], dtype="<f4").reshape(-1, 48))
    check_histogram(site["values"], x.ravel())
    check_histogram(site["tokens"], x.max(axis=1))
    assert site["channel_absmax"].dtype == np.dtype("<f4")
    assert np.array_equal(site["channel_absmax"][:], x.max(axis=0))
    assert site.attrs["output_absmax"] == 9.0
    for name in store["sites"]:
        group = store["sites"][name]
        tokens = int(group["tokens"][:].sum()) + group["tokens"].attrs["zeros"]
        values = int(group["values"][:].sum()) + group["values"].attrs["zeros"]
        assert tokens == group["tokens"].attrs["total"] == 5 + 8 + 11
        assert values == group["values"].attrs["total"] == tokens * group["channel_absmax"].shape[0]
print("store read and recomputed")
