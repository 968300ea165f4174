#include "datasets/images/idx.h"

#include <fmt/format.h>

#include <utility>

#include "core/error.h"
#include "datasets/data_spec.h"
#include "datasets/records.h"

namespace octet {
namespace {

constexpr int kUnsignedBytes = 0x08;

[[noreturn]] void refuse(const std::string& path, const std::string& found) {
  throw Error(fmt::format("{} in {}", found, path),
              "an IDX file of unsigned bytes, as long as its header says",
              "download it again, or name it .gz if it is packed");
}

}  // namespace

IdxArray parse_idx(std::string bytes, const std::string& path) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  if (bytes.size() < 4) refuse(path, fmt::format("{} bytes", bytes.size()));
  const size_t rank = byte(3);
  if (byte(0) != 0 || byte(1) != 0 || byte(2) != kUnsignedBytes || rank < 1 || rank > 4)
    refuse(path, fmt::format("the beginning {:02x} {:02x} {:02x} {:02x}", byte(0), byte(1), byte(2),
                             byte(3)));
  IdxArray array;
  array.begin = 4 + 4 * rank;
  if (bytes.size() < array.begin) refuse(path, fmt::format("{} bytes", bytes.size()));
  uint64_t count = 1;
  bool good = true;
  for (size_t at = 4; at < array.begin; at += 4) {
    const uint64_t side = uint64_t{byte(at)} << 24 | uint64_t{byte(at + 1)} << 16 |
                          uint64_t{byte(at + 2)} << 8 | byte(at + 3);
    good = good && !__builtin_mul_overflow(count, side, &count);
    array.shape.push_back(static_cast<int64_t>(side));
  }
  if (!good || count != bytes.size() - array.begin) {
    refuse(path, fmt::format("{} values for shape [{}]", bytes.size() - array.begin,
                             fmt::join(array.shape, ", ")));
  }
  array.bytes = std::move(bytes);
  return array;
}

IdxArray read_idx(const std::string& path) {
  return parse_idx(read_whole(path, kMostData), path);
}

}  // namespace octet
