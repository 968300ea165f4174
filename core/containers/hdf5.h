// HDF5 behind RAII. A file is written once (temporary name, then renamed) and read-only afterwards.
// One thread. HDF5's own error stack is silenced and translated into Error.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace octet {

/// Paths are "/group/name"; missing groups are created. Datasets are chunked with Fletcher32
/// checksums.
class Hdf5Writer {
 public:
  explicit Hdf5Writer(const std::filesystem::path& path);
  ~Hdf5Writer();  ///< without commit() the temporary is removed
  void attribute(const std::string& object, const std::string& name, const std::string& value);
  void attribute(const std::string& object, const std::string& name, int64_t value);
  void attribute(const std::string& object, const std::string& name, double value);
  void dataset(const std::string& path, std::span<const float> data,
               const std::vector<int64_t>& shape);
  void dataset(const std::string& path, std::span<const double> data,
               const std::vector<int64_t>& shape);
  void dataset(const std::string& path, std::span<const int64_t> data,
               const std::vector<int64_t>& shape);
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Hdf5Reader {
 public:
  explicit Hdf5Reader(const std::filesystem::path& path);
  ~Hdf5Reader();
  std::string text(const std::string& object, const std::string& name) const;
  int64_t integer(const std::string& object, const std::string& name) const;
  double real(const std::string& object, const std::string& name) const;
  bool has(const std::string& path) const;
  std::vector<std::string> children(const std::string& group) const;  ///< sorted link names
  std::vector<int64_t> shape(const std::string& path) const;
  /// Whole datasets; sizes are checked against the file's size before allocation, dtypes exactly.
  std::vector<float> floats(const std::string& path) const;
  std::vector<double> doubles(const std::string& path) const;
  std::vector<int64_t> integers(const std::string& path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace octet
