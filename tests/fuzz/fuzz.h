// What the fuzz targets share. Each target is one file that defines LLVMFuzzerTestOneInput;
// scripts/fuzz links it with libFuzzer, CMake with replay.cc. Input that octet refuses with an
// Error is fine; any other exception, crash or sanitizer report is a finding.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace octet::fuzz {

inline std::string_view text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Runs `body` and lets Errors pass.
template <class Body>
void refuse(const Body& body) {
  try {
    body();
  } catch (const Error&) {  // the wanted answer to bad input
  }
}

/// A file in memory with a path of its own.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : fd_(memfd_create("octet-fuzz", MFD_CLOEXEC)) {
    if (fd_ < 0 || write(fd_, data, size) != static_cast<ssize_t>(size)) {
      throw std::runtime_error("no memory for the input");
    }
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

/// The input as a supply of values; zeros once it is used up.
class Values {
 public:
  Values(const uint8_t* data, size_t size) : left_(text(data, size)) {}
  uint8_t byte() { return fixed<uint8_t>(); }
  /// Mostly small, sometimes any.
  int64_t integer() {
    const int value = byte();
    return value < 250 ? value - 4 : fixed<int64_t>();
  }
  /// Mostly small powers of two and their sums, sometimes any bits.
  double real() {
    const int value = byte();
    return value < 250 ? value / 16.0 : fixed<double>();
  }
  std::string string() {
    const size_t size = std::min<size_t>(byte(), left_.size());
    const std::string taken(left_.substr(0, size));
    left_.remove_prefix(size);
    return taken;
  }

 private:
  template <class T>
  T fixed() {
    T value{};
    const size_t size = std::min(sizeof value, left_.size());
    std::memcpy(&value, left_.data(), size);
    left_.remove_prefix(size);
    return value;
  }
  std::string_view left_;
};

}  // namespace octet::fuzz
