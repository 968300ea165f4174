#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/containers/hdf5.h"
#include "core/containers/hdf5_handle.h"
#include "core/error.h"
#include "core/io/atomic_file.h"

namespace octet {
namespace {

using hdf5::Handle;
constexpr hsize_t kChunkBytes = hsize_t{1} << 20;

hid_t disk_type(float) {
  return H5T_IEEE_F32LE;
}
hid_t disk_type(double) {
  return H5T_IEEE_F64LE;
}
hid_t disk_type(int64_t) {
  return H5T_STD_I64LE;
}
hid_t memory_type(float) {
  return H5T_NATIVE_FLOAT;
}
hid_t memory_type(double) {
  return H5T_NATIVE_DOUBLE;
}
hid_t memory_type(int64_t) {
  return H5T_NATIVE_INT64;
}

std::vector<hsize_t> dimensions(const std::string& path, const std::vector<int64_t>& shape,
                                size_t count) {
  std::vector<hsize_t> result;
  hsize_t product = 1;
  bool good = !shape.empty() && shape.size() <= H5S_MAX_RANK;
  for (const int64_t dimension : shape) {
    good = good && dimension >= 0 &&
           !__builtin_mul_overflow(product, static_cast<hsize_t>(dimension), &product);
    result.push_back(static_cast<hsize_t>(dimension));
  }
  if (!good || product != count) {
    throw Error(fmt::format("shape [{}] for {} values of {}", fmt::join(shape, ", "), count, path),
                "at least one dimension, and a product equal to the number of values",
                "correct the shape");
  }
  return result;
}

// Halves the outermost dimension that is above 1 until a chunk has at most kChunkBytes.
std::vector<hsize_t> chunk_of(std::vector<hsize_t> shape, size_t element) {
  hsize_t bytes = element;
  for (auto& dimension : shape) {
    dimension = std::max<hsize_t>(dimension, 1);
    bytes *= dimension;
  }
  for (auto& dimension : shape) {
    while (bytes > kChunkBytes && dimension > 1) {
      bytes /= dimension;
      dimension = (dimension + 1) / 2;
      bytes *= dimension;
    }
  }
  return shape;
}

}  // namespace

struct Hdf5Writer::Impl {
  // HDF5 truncates and fills the inode that AtomicFile created; AtomicFile flushes and renames it.
  explicit Impl(const std::filesystem::path& target) : path(target), output(target) {
    const Handle access = hdf5::access_properties(path);
    file = hdf5::own(H5Fcreate(output.temporary().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access),
                     "create the file", path);
  }

  Handle object(const std::string& name) {
    Handle at = hdf5::own(H5Gopen2(file, "/", H5P_DEFAULT), "open /", path);
    for (const auto& part : hdf5::split(name)) {
      const htri_t exists = H5Lexists(at, part.c_str(), H5P_DEFAULT);
      if (exists < 0) hdf5::fail("look up " + name, path);
      at = hdf5::own(exists > 0
                         ? H5Oopen(at, part.c_str(), H5P_DEFAULT)
                         : H5Gcreate2(at, part.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                     "open or create " + name, path);
    }
    return at;
  }

  void write_attribute(const std::string& name, const std::string& key, hid_t stored, hid_t memory,
                       const void* value) {
    const Handle owner = object(name);
    const Handle space = hdf5::own(H5Screate(H5S_SCALAR), "describe attribute " + key, path);
    const Handle made =
        hdf5::own(H5Acreate2(owner, key.c_str(), stored, space, H5P_DEFAULT, H5P_DEFAULT),
                  fmt::format("create attribute {} of {}", key, name), path);
    if (H5Awrite(made, memory, value) < 0) hdf5::fail("write attribute " + key, path);
  }

  template <typename T>
  void write_dataset(const std::string& name, std::span<const T> data,
                     const std::vector<int64_t>& shape) {
    const auto sizes = dimensions(name, shape, data.size());
    const auto chunk = chunk_of(sizes, sizeof(T));
    const auto parts = hdf5::split(name);
    if (parts.empty()) throw Error("a dataset named /", "a path like /group/name", "name it");
    const Handle group = object(name.substr(0, std::max<size_t>(name.rfind('/'), 1)));
    const auto rank = static_cast<int>(sizes.size());
    const Handle space =
        hdf5::own(H5Screate_simple(rank, sizes.data(), nullptr), "describe " + name, path);
    const Handle layout = hdf5::own(H5Pcreate(H5P_DATASET_CREATE), "describe " + name, path);
    if (H5Pset_chunk(layout, rank, chunk.data()) < 0 || H5Pset_fletcher32(layout) < 0) {
      hdf5::fail("lay out " + name, path);
    }
    const Handle made = hdf5::own(H5Dcreate2(group, parts.back().c_str(), disk_type(T{}), space,
                                             H5P_DEFAULT, layout, H5P_DEFAULT),
                                  "create " + name, path);
    if (data.empty()) return;
    // Chunks wait in a cache; closing would write them and lose the error, so flush while it can be
    // seen.
    if (H5Dwrite(made, memory_type(T{}), H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data()) < 0 ||
        H5Dflush(made) < 0) {
      hdf5::fail("write " + name, path);
    }
  }

  std::filesystem::path path;
  AtomicFile output;
  Handle file;
};

Hdf5Writer::Hdf5Writer(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
Hdf5Writer::~Hdf5Writer() = default;

void Hdf5Writer::attribute(const std::string& object, const std::string& name,
                           const std::string& value) {
  // Fixed length, padded with NUL: the reader can check the size before it allocates.
  const Handle type = hdf5::own(H5Tcopy(H5T_C_S1), "make a text type", impl_->path);
  if (value.find('\0') != std::string::npos ||
      H5Tset_size(type, std::max<size_t>(value.size(), 1)) < 0 ||
      H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
    hdf5::fail(fmt::format("store the text of attribute {}", name), impl_->path);
  }
  impl_->write_attribute(object, name, type, type, value.c_str());
}

void Hdf5Writer::attribute(const std::string& object, const std::string& name, int64_t value) {
  impl_->write_attribute(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void Hdf5Writer::attribute(const std::string& object, const std::string& name, double value) {
  impl_->write_attribute(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

void Hdf5Writer::dataset(const std::string& path, std::span<const float> data,
                         const std::vector<int64_t>& shape) {
  impl_->write_dataset(path, data, shape);
}

void Hdf5Writer::dataset(const std::string& path, std::span<const double> data,
                         const std::vector<int64_t>& shape) {
  impl_->write_dataset(path, data, shape);
}

void Hdf5Writer::dataset(const std::string& path, std::span<const int64_t> data,
                         const std::vector<int64_t>& shape) {
  impl_->write_dataset(path, data, shape);
}

void Hdf5Writer::commit() {
  if (H5Fflush(impl_->file, H5F_SCOPE_GLOBAL) < 0 || H5Fclose(impl_->file.release()) < 0) {
    hdf5::fail("flush the file", impl_->path);
  }
  impl_->output.commit();
}

}  // namespace octet
