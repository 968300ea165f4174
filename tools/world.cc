#include "tools/world.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.h"

namespace octet {
namespace {

int number(const char* name, int fallback) {
  const char* text = std::getenv(name);
  if (text == nullptr) return fallback;
  const std::string_view value = text;
  int parsed = 0;
  const auto end = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (end.ec == std::errc() && end.ptr == value.data() + value.size() && parsed >= 0) {
    return parsed;
  }
  throw UsageError(fmt::format("{}={} in the environment", name, value), "a number",
                   "start with torchrun --no-python, or unset it");
}

void print_memory(const MemoryPlan& plan) {
  constexpr double kMiB = 1 << 20;
  for (const auto& [what, bytes] : plan.parts) {
    fmt::print("{:<34} {:>10.1f} MiB\n", what, static_cast<double>(bytes) / kMiB);
  }
  fmt::print("{:<34} {:>10.1f} MiB\n{:<34} {:>10.1f} MiB\n", "in all",
             static_cast<double>(plan.whole) / kMiB, "in all with --checkpointing",
             static_cast<double>(plan.checkpointed) / kMiB);
}

}  // namespace

WorldOptions world_from_environment() {
  WorldOptions world;
  world.size = number("WORLD_SIZE", 1);
  world.rank = number("RANK", 0);
  world.port = number("MASTER_PORT", world.port);
  if (const char* address = std::getenv("MASTER_ADDR")) world.address = address;
  return world;
}

void print_training(const FinetuneResult& result, bool plan, bool json) {
  if (json) {
    nlohmann::json memory = {{"whole", result.memory.whole},
                             {"checkpointed", result.memory.checkpointed}};
    for (const auto& [what, bytes] : result.memory.parts) memory["parts"][what] = bytes;
    nlohmann::json out = {{"memory", memory}};
    if (!plan) {
      out["directory"] = result.directory;
      out["verdict"] = result.verdict;
      out["reused"] = result.reused;
      if (!result.reused) out["training"] = to_json(result.training);
    }
    fmt::print("{}\n", out.dump());
  } else if (plan) {
    print_memory(result.memory);
  } else {
    fmt::print("{}: {}\n{}\n", result.reused ? "unchanged" : "wrote", result.directory,
               result.verdict);
  }
}

}  // namespace octet
