// A calibration store. An input that begins with HDF5's signature is the file itself; any other
// gives the values of a store, so that the rules behind the container's checksums are reached.
#include <string>
#include <vector>

#include "calib/store.h"
#include "core/containers/hdf5.h"
#include "tests/fuzz/fuzz.h"

namespace octet::fuzz {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";

// A folder in memory for this process.
const std::filesystem::path& store_path() {
  static const struct Folder {
    std::filesystem::path path = "/dev/shm/octet-fuzz-" + std::to_string(getpid());
    std::filesystem::path file = path / "store.h5";
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
  } folder;
  return folder.file;
}

void write_histogram(Hdf5Writer& file, const std::string& path, Values& values) {
  std::vector<int64_t> bins(values.byte() == 0 ? 2048 : static_cast<size_t>(values.byte()));
  for (int left = values.byte() % 8; left > 0 && !bins.empty(); --left) {
    const size_t bin = static_cast<size_t>(values.byte()) * 8 + values.byte() % 8;
    bins[bin % bins.size()] = values.integer();
  }
  file.dataset(path, bins, {static_cast<int64_t>(bins.size())});
  for (const char* name : {"zeros", "total", "exponent"}) {
    file.attribute(path, name, values.integer());
  }
  for (const char* name : {"absmax", "bin_width"}) file.attribute(path, name, values.real());
}

void write_site(Hdf5Writer& file, Values& values) {
  const std::string group = "/sites/" + values.string();
  const int parts = values.byte();
  if (parts & 1) write_histogram(file, group + "/values", values);
  if (parts & 2) write_histogram(file, group + "/tokens", values);
  if (parts & 4) {
    std::vector<float> channels(values.byte() % 16);
    for (float& channel : channels) channel = static_cast<float>(values.real());
    file.dataset(group + "/channel_absmax", channels, {static_cast<int64_t>(channels.size())});
  }
  if (parts & 8) file.attribute(group, "output_absmax", values.real());
}

void write_store(const std::filesystem::path& path, Values values) {
  Hdf5Writer file(path);
  file.attribute("/", "format", values.byte() == 0 ? "octet-calibration" : values.string());
  file.attribute("/", "provenance", values.string());
  for (const char* name : {"version", "units_total", "shard", "shards"}) {
    file.attribute("/", name, values.integer());
  }
  std::vector<int64_t> units(values.byte() % 8);
  for (int64_t& unit : units) unit = values.integer();
  file.dataset("/units", units, {static_cast<int64_t>(units.size())});
  file.attribute("/sites", "count", values.integer());
  for (int left = values.byte() % 3; left > 0; --left) write_site(file, values);
  file.commit();
}

void read_store(const std::filesystem::path& path) {
  const CalibrationStore store = load_calibration(path);
  merge({store, store});
}

}  // namespace
}  // namespace octet::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  fuzz::refuse([&] {
    if (fuzz::text(data, size).starts_with(fuzz::kSignature)) {
      const fuzz::MemoryFile memory(data, size);
      fuzz::read_store(memory.path());
    } else {
      fuzz::write_store(fuzz::store_path(), fuzz::Values(data, size));
      fuzz::read_store(fuzz::store_path());
    }
  });
  return 0;
}
