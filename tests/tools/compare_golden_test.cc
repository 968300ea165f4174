// What scripts/compare/run measured against llm-compressor, held to the limits we promise.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/environment.h"

namespace octet::test {
namespace {

TEST(CompareGolden, DivergenceIsNoWorseThanLlmCompressor) {
  std::ifstream file(source_dir() + "/tests/data/compare_llmcompressor.json");
  ASSERT_TRUE(file) << "made by scripts/compare/run";
  const auto golden = nlohmann::json::parse(file);
  const std::pair<const char*, double> limits[] = {
      {"w8a16", 1.05}, {"w8a8-dynamic", 1.05}, {"w8a8-static", 1.0}, {"w4a16-g64", 0.9}};
  for (const auto& [scheme, limit] : limits) {
    const auto& row = golden["schemes"][scheme];
    const double ours = row["octet"]["kl_mean"], peer = row["llmcompressor"]["kl_mean"];
    EXPECT_GT(ours, 0) << scheme;
    EXPECT_LE(ours, limit * peer) << scheme;
  }
}

}  // namespace
}  // namespace octet::test
