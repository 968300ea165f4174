// Whether a directory still holds what was written into it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/context.h"

namespace octet {

/// What is wrong with one tensor or file.
struct Mismatch {
  std::string name;     ///< of the tensor, or of the file where it is not a weight file
  std::string file;     ///< where it is, or should be
  std::string problem;  ///< a few words
};

struct VerifyReport {
  int64_t tensors = 0, files = 0;  ///< compared
  std::vector<Mismatch> wrong;
};

/// Reads every tensor and file that the manifest of `directory` lists and compares SHA-256 hashes.
/// Error when there is no manifest with hashes, or weight files cannot be opened as such.
VerifyReport verify_directory(const std::filesystem::path& directory, Context& context);

}  // namespace octet
