// IDX files: arrays of bytes as MNIST stores them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

/// An array of 8-bit samples, outermost dimension first.
struct IdxArray {
  std::vector<int64_t> shape;
  std::string bytes;  ///< the file; the values follow the header
  size_t begin = 0;   ///< of the values
  const uint8_t* values() const { return reinterpret_cast<const uint8_t*>(bytes.data()) + begin; }
};

/// The content of an IDX file of unsigned bytes with 1 to 4 dimensions. Throws Error naming `path`
/// for anything else and for a size other than its header says.
IdxArray parse_idx(std::string bytes, const std::string& path);

/// Reads and parses a file, decompressed if its name ends in .gz.
IdxArray read_idx(const std::string& path);

}  // namespace octet
