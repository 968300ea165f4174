// The parameters that a config.json implies.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/json.h"
#include "models/config.h"
#include "models/run/model.h"
#include "tests/environment.h"

namespace octet::test {
namespace {

TEST(Config, PublishedParameterCounts) {
  const std::map<std::string, int64_t> counts = {
      {"Qwen-1.5B", 1'777'088'000}, {"Qwen-7B", 7'615'616'512},  {"Qwen-14B", 14'770'033'664},
      {"Qwen-32B", 32'763'876'352}, {"Llama-8B", 8'030'261'248}, {"Llama-70B", 70'553'706'496}};
  for (const auto& [name, count] : counts) {
    const ModelConfig config = parse_config(
        read_json(source_dir() + "/tests/data/configs/DeepSeek-R1-Distill-" + name + ".json"),
        name);
    EXPECT_EQ(parameter_count(make_model(config)->topology()), count) << name;
  }
}

}  // namespace
}  // namespace octet::test
