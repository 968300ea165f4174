// Suites that run on each CPU level: a level that this CPU lacks is skipped by name, not in
// silence.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "kernels/cpu/features.h"

namespace octet::cpu {

class LevelTest : public testing::TestWithParam<Level> {
 protected:
  void SetUp() override {
    if (GetParam() > best_level()) GTEST_SKIP() << "this CPU lacks " << name(GetParam());
  }
};

inline auto every_level() {
  return testing::Values(Level::kPortable, Level::kAvx2, Level::kVnni);
}

/// For the names of tests.
inline std::string level_name(const testing::TestParamInfo<Level>& info) {
  if (info.param == Level::kPortable) return "Portable";
  return info.param == Level::kAvx2 ? "Avx2" : "Vnni";
}

}  // namespace octet::cpu
