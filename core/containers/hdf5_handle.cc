#include "core/containers/hdf5_handle.h"

#include <fmt/format.h>

#include "core/error.h"

namespace octet::hdf5 {
namespace {

// Walking upward starts at the innermost record; a positive return value ends the walk.
herr_t take_first(unsigned, const H5E_error2_t* record, void* text) {
  if (record->desc != nullptr) *static_cast<std::string*>(text) = record->desc;
  return 1;
}

}  // namespace

void silence() {
  // Every file is closed by its owner. At exit libhdf5 1.10 would try once more to write a file
  // whose disk was full, and crash.
  static const herr_t once = H5dont_atexit();
  static_cast<void>(once);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

void fail(const std::string& action, const std::filesystem::path& path) {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &reason);
  H5Eclear2(H5E_DEFAULT);
  throw Error(fmt::format("HDF5 could not {} in {} ({})", action, path.string(),
                          reason.empty() ? "no reason given" : reason),
              "a whole HDF5 file written by octet, and room on the disk",
              "check the disk, or make the file again");
}

Handle own(hid_t id, const std::string& action, const std::filesystem::path& path) {
  if (id < 0) fail(action, path);
  return Handle(id);
}

Handle access_properties(const std::filesystem::path& path) {
  silence();
  Handle properties = own(H5Pcreate(H5P_FILE_ACCESS), "make properties", path);
  if (H5Pset_libver_bounds(properties, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
      H5Pset_fclose_degree(properties, H5F_CLOSE_STRONG) < 0 ||
      H5Pset_file_locking(properties, false, true) < 0) {
    fail("set properties", path);
  }
  return properties;
}

std::vector<std::string> split(const std::string& object) {
  std::vector<std::string> parts;
  if (object == "/") return parts;
  bool good = !object.empty() && object.front() == '/' && object.find('\0') == std::string::npos;
  for (size_t at = 1; good && at <= object.size();) {
    const size_t end = std::min(object.find('/', at), object.size());
    parts.push_back(object.substr(at, end - at));
    good = !parts.back().empty() && parts.back() != "." && parts.back() != "..";
    at = end + 1;
  }
  if (!good || object.back() == '/') {
    throw Error(fmt::format("HDF5 path \"{}\"", object), "a path like /group/name",
                "correct the path");
  }
  return parts;
}

}  // namespace octet::hdf5
