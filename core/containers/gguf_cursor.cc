#include "core/containers/gguf_cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace octet {
namespace {
constexpr size_t kBuffer = size_t{1} << 20;  // bytes read ahead
}

void GgufCursor::bad(const std::string& found, const std::string& expected) const {
  throw Error(fmt::format("{} in {}", found, file_.path().string()), expected,
              "copy or download the file again");
}

void GgufCursor::bytes(std::span<std::byte> out) {
  if (out.size() > left()) {
    bad(fmt::format("the end of the file at byte {}", file_.size()),
        fmt::format("{} bytes of header from {}", out.size(), at_));
  }
  if (out.size() > kBuffer) {
    file_.read_at(at_, out);
  } else if (!out.empty()) {
    if (at_ + out.size() > start_ + buffer_.size()) refill();
    std::memcpy(out.data(), buffer_.data() + (at_ - start_), out.size());
  }
  at_ += out.size();
}

std::string GgufCursor::text(uint64_t limit, const std::string& what) {
  const auto size = number<uint64_t>();
  if (size > limit || size > left()) {
    bad(fmt::format("{} of {} bytes", what, size),
        fmt::format("at most {} bytes", std::min(limit, left())));
  }
  std::string value(size, '\0');
  bytes(std::as_writable_bytes(std::span(value)));
  return value;
}

void GgufCursor::refill() {
  buffer_.resize(std::min<uint64_t>(kBuffer, left()));
  start_ = at_;
  file_.read_at(start_, buffer_);
}

}  // namespace octet
