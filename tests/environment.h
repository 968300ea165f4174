// Where the tests find the repository, the program and Python: as built, or as the environment says
// where they run on another machine (scripts/test_gpu).
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace octet::test {

inline std::string from_environment(const char* name, const char* built) {
  const char* given = std::getenv(name);
  return given != nullptr && *given != '\0' ? given : built;
}

/// The repository; without a slash at the end.
inline std::string source_dir() {
  return from_environment("OCTET_SOURCE_DIR", OCTET_SOURCE_DIR);
}

inline std::string octet_binary() {
  return from_environment("OCTET_BINARY", OCTET_BINARY);
}

/// A Python that has torch and what the oracles need.
inline std::string python_binary() {
  return from_environment("OCTET_PYTHON", OCTET_PYTHON);
}

/// For a test's SetUp(), where no GPU can be used: the test is skipped, or fails where
/// OCTET_REQUIRE_GPU is set.
inline void without_gpu(const std::string& reason) {
  if (!from_environment("OCTET_REQUIRE_GPU", "").empty()) FAIL() << reason;
  GTEST_SKIP() << reason;
}

}  // namespace octet::test
