#include <fmt/format.h>

#include <algorithm>

#include "core/containers/hdf5.h"
#include "core/containers/hdf5_handle.h"
#include "core/error.h"
#include "core/io/input_file.h"

namespace octet {
namespace {

using hdf5::Handle;

herr_t collect(hid_t, const char* name, const H5L_info_t*, void* names) {
  try {
    static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  } catch (...) {
    return -1;
  }
  return 0;
}

}  // namespace

struct Hdf5Reader::Impl {
  explicit Impl(const std::filesystem::path& source)
      : path(source), size(InputFile(source).size()) {
    const Handle access = hdf5::access_properties(path);
    file = hdf5::own(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), "open the file", path);
  }

  [[noreturn]] void bad(const std::string& found, const std::string& expected) const {
    throw Error(fmt::format("{} in {}", found, path.string()), expected, "make the file again");
  }

  // Links other than hard ones can lead out of the file and are refused. Invalid when absent.
  Handle find(const std::string& name) const {
    Handle at = hdf5::own(H5Gopen2(file, "/", H5P_DEFAULT), "open /", path);
    for (const auto& part : hdf5::split(name)) {
      if (H5Iget_type(at) != H5I_GROUP) return Handle();
      const htri_t exists = H5Lexists(at, part.c_str(), H5P_DEFAULT);
      if (exists < 0) hdf5::fail("look up " + name, path);
      if (exists == 0) return Handle();
      H5L_info_t link{};
      if (H5Lget_info(at, part.c_str(), &link, H5P_DEFAULT) < 0)
        hdf5::fail("look up " + name, path);
      if (link.type != H5L_TYPE_HARD) bad("a soft or external link on the way to " + name, "none");
      at = hdf5::own(H5Oopen(at, part.c_str(), H5P_DEFAULT), "open " + name, path);
    }
    return at;
  }

  Handle object(const std::string& name, H5I_type_t kind) const {
    Handle found = find(name);
    if (found < 0) bad("no " + name, "it, as octet writes it");
    if (kind != H5I_BADID && H5Iget_type(found) != kind) {
      bad(name + " of another kind", kind == H5I_DATASET ? "a dataset" : "a group");
    }
    return found;
  }

  Handle attribute(const std::string& name, const std::string& key) const {
    const Handle owner = object(name, H5I_BADID);
    const htri_t exists = H5Aexists(owner, key.c_str());
    if (exists < 0) hdf5::fail(fmt::format("look up attribute {} of {}", key, name), path);
    if (exists == 0) bad(fmt::format("no attribute {} of {}", key, name), "it");
    Handle made =
        hdf5::own(H5Aopen(owner, key.c_str(), H5P_DEFAULT), "open attribute " + key, path);
    const Handle space = hdf5::own(H5Aget_space(made), "describe attribute " + key, path);
    if (H5Sget_simple_extent_type(space) != H5S_SCALAR) {
      bad(fmt::format("attribute {} of {}", key, name), "a single value");
    }
    return made;
  }

  template <typename T>
  T number(const std::string& name, const std::string& key, hid_t stored, hid_t memory) const {
    const Handle from = attribute(name, key);
    const Handle type = hdf5::own(H5Aget_type(from), "describe attribute " + key, path);
    if (H5Tequal(type, stored) <= 0) {
      bad(fmt::format("attribute {} of {} with another type", key, name),
          std::is_same_v<T, double> ? "float64" : "int64");
    }
    T value{};
    if (H5Aread(from, memory, &value) < 0) hdf5::fail("read attribute " + key, path);
    return value;
  }

  std::vector<int64_t> extent(hid_t dataset, const std::string& name) const {
    const Handle space = hdf5::own(H5Dget_space(dataset), "describe " + name, path);
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 1 || H5Sis_simple(space) <= 0) bad("the dataspace of " + name, "an array");
    std::vector<hsize_t> sizes(static_cast<size_t>(rank));
    if (H5Sget_simple_extent_dims(space, sizes.data(), nullptr) < 0) {
      hdf5::fail("describe " + name, path);
    }
    return {sizes.begin(), sizes.end()};
  }

  // Values are stored plain, so neither the data nor one chunk can be larger than the file.
  size_t checked_count(hid_t dataset, const std::string& name, size_t element) const {
    check_layout(dataset, name, element);
    uint64_t bytes = element;
    bool good = true;
    for (const int64_t dimension : extent(dataset, name)) {
      good = good && dimension >= 0 &&
             !__builtin_mul_overflow(bytes, static_cast<uint64_t>(dimension), &bytes);
    }
    if (!good || bytes > size) {
      bad("the extent of " + name, fmt::format("at most the file's {} bytes", size));
    }
    return bytes / element;
  }

  void check_layout(hid_t dataset, const std::string& name, size_t element) const {
    const Handle layout = hdf5::own(H5Dget_create_plist(dataset), "describe " + name, path);
    const int filters = H5Pget_nfilters(layout);
    if (H5Pget_layout(layout) != H5D_CHUNKED || filters < 0 || filters > 1 ||
        H5Pget_external_count(layout) != 0) {
      bad("the storage of " + name, "chunks inside the file, uncompressed");
    }
    if (filters == 1) {
      unsigned flags = 0, config = 0;
      size_t values = 0;
      const H5Z_filter_t filter =
          H5Pget_filter2(layout, 0, &flags, &values, nullptr, 0, nullptr, &config);
      if (filter != H5Z_FILTER_FLETCHER32) bad("a filter on " + name, "Fletcher32 at most");
    }
    hsize_t chunk[H5S_MAX_RANK];
    const int rank = H5Pget_chunk(layout, H5S_MAX_RANK, chunk);
    uint64_t bytes = element;
    bool good = rank > 0;
    for (int i = 0; i < rank; ++i) good = good && !__builtin_mul_overflow(bytes, chunk[i], &bytes);
    if (!good || bytes > size) {
      bad("the chunks of " + name, fmt::format("at most the file's {} bytes", size));
    }
  }

  template <typename T>
  std::vector<T> read(const std::string& name, hid_t stored, hid_t memory, const char* kind) const {
    const Handle dataset = object(name, H5I_DATASET);
    const Handle type = hdf5::own(H5Dget_type(dataset), "describe " + name, path);
    if (H5Tequal(type, stored) <= 0) bad(name + " with another dtype", kind);
    std::vector<T> values(checked_count(dataset, name, sizeof(T)));
    if (!values.empty() &&
        H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
      hdf5::fail("read " + name, path);
    }
    return values;
  }

  std::filesystem::path path;
  uint64_t size;
  Handle file;
};

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
Hdf5Reader::~Hdf5Reader() = default;

std::string Hdf5Reader::text(const std::string& object, const std::string& name) const {
  const Handle from = impl_->attribute(object, name);
  const Handle type = hdf5::own(H5Aget_type(from), "describe attribute " + name, impl_->path);
  const size_t size = H5Tget_size(type);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || size > impl_->size) {
    impl_->bad(fmt::format("attribute {} of {} with another type", name, object),
               "a text of fixed length inside the file");
  }
  std::string value(size, '\0');
  if (H5Aread(from, type, value.data()) < 0) hdf5::fail("read attribute " + name, impl_->path);
  value.resize(std::min(value.find('\0'), value.size()));
  return value;
}

int64_t Hdf5Reader::integer(const std::string& object, const std::string& name) const {
  return impl_->number<int64_t>(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64);
}

double Hdf5Reader::real(const std::string& object, const std::string& name) const {
  return impl_->number<double>(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE);
}

bool Hdf5Reader::has(const std::string& path) const {
  return impl_->find(path) >= 0;
}

std::vector<std::string> Hdf5Reader::children(const std::string& group) const {
  const Handle from = impl_->object(group, H5I_GROUP);
  std::vector<std::string> names;
  if (H5Literate(from, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names) < 0) {
    hdf5::fail("list " + group, impl_->path);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<int64_t> Hdf5Reader::shape(const std::string& path) const {
  return impl_->extent(impl_->object(path, H5I_DATASET), path);
}

std::vector<float> Hdf5Reader::floats(const std::string& path) const {
  return impl_->read<float>(path, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, "float32");
}

std::vector<double> Hdf5Reader::doubles(const std::string& path) const {
  return impl_->read<double>(path, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, "float64");
}

std::vector<int64_t> Hdf5Reader::integers(const std::string& path) const {
  return impl_->read<int64_t>(path, H5T_STD_I64LE, H5T_NATIVE_INT64, "int64");
}

}  // namespace octet
