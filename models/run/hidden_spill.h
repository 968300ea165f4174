// The Hidden of each unit between two blocks, on disk: memory stays bounded and a killed run goes
// on.
#pragma once
#include <filesystem>

#include "models/run/model.h"

namespace octet {

class HiddenSpill {
 public:
  explicit HiddenSpill(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// What stands before block `block` for unit `unit`. Written under a temporary name and renamed.
  void write(int block, int64_t unit, const Hidden& hidden) const;
  /// Bit for bit what was written, on `device`.
  Hidden read(int block, int64_t unit, at::Device device) const;
  void remove(int block, int64_t unit) const;

 private:
  std::filesystem::path file(int block, int64_t unit) const;
  std::filesystem::path folder_;
};

}  // namespace octet
