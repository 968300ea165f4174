// HDF5 identifiers behind RAII, and its error stack as Error. Included by the .cc files of this
// folder.
#pragma once
#include <hdf5.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace octet::hdf5 {

/// Owns one identifier of any kind.
class Handle {
 public:
  Handle() = default;
  explicit Handle(hid_t id) : id_(id) {}
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset();
      id_ = std::exchange(other.id_, -1);
    }
    return *this;
  }
  operator hid_t() const { return id_; }
  hid_t release() { return std::exchange(id_, -1); }
  void reset() {
    if (id_ >= 0 && H5Iis_valid(id_) > 0) H5Idec_ref(id_);
    id_ = -1;
  }

 private:
  hid_t id_ = -1;
};

/// Stops HDF5 from printing its error stack to stderr (a setting of the calling thread).
void silence();

/// Throws Error with HDF5's innermost message; `action` completes "HDF5 could not ...".
[[noreturn]] void fail(const std::string& action, const std::filesystem::path& path);

/// Takes ownership of `id`, or throws when it is negative.
Handle own(hid_t id, const std::string& action, const std::filesystem::path& path);

/// File access properties: format of HDF5 1.10 (checksummed metadata), no file locks (files are
/// either private temporaries or immutable), closing takes open objects along.
Handle access_properties(const std::filesystem::path& path);

/// "/a/b" as {"a", "b"}; "/" is empty. Error when relative, or a component is empty, "." or "..".
std::vector<std::string> split(const std::string& object);

}  // namespace octet::hdf5
