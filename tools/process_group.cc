#include "tools/process_group.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.h"

namespace octet {
namespace {

constexpr const char* kRemedy = "start with torchrun --no-python, or unset it";

class Variables {
 public:
  explicit Variables(const Environment& environment) : environment_(environment) {}

  std::string_view text(const char* name) const {
    const char* value = environment_(name);
    return value == nullptr ? std::string_view() : value;
  }
  bool has(const char* name) const { return !text(name).empty(); }

  int number(const char* name, int fallback) const {
    const std::string_view value = text(name);
    if (value.empty()) return fallback;
    int parsed = 0;
    const auto end = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (end.ec == std::errc() && end.ptr == value.data() + value.size() && parsed >= 0) {
      return parsed;
    }
    throw UsageError(fmt::format("{}={} in the environment", name, value), "a number", kRemedy);
  }

 private:
  const Environment& environment_;
};

// The first of Slurm's hosts: "node[03-05,9],other" gives node03.
std::string first_host(std::string_view hosts) {
  const size_t open = hosts.find('['), comma = hosts.find(',');
  if (open == std::string_view::npos || comma < open) return std::string(hosts.substr(0, comma));
  const size_t end = hosts.find_first_of("-,]", open);
  return std::string(hosts.substr(0, open)) + std::string(hosts.substr(open + 1, end - open - 1));
}

// The names under which a launcher gives size, rank and local rank.
struct Launcher {
  const char *size, *rank, *local;
};
constexpr Launcher kByHand{"WORLD_SIZE", "RANK", "LOCAL_RANK"};
constexpr Launcher kSlurm{"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"};
constexpr Launcher kOpenMpi{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
                            "OMPI_COMM_WORLD_LOCAL_RANK"};

void print_memory(const MemoryPlan& plan) {
  constexpr double kMiB = 1 << 20;
  for (const auto& [what, bytes] : plan.parts) {
    fmt::print("{:<34} {:>10.1f} MiB\n", what, static_cast<double>(bytes) / kMiB);
  }
  const auto line = [](const char* what, uint64_t bytes) {
    fmt::print("{:<34} {:>10.1f} MiB\n", what, static_cast<double>(bytes) / kMiB);
  };
  line("total", plan.whole);
  line("total with --checkpointing", plan.checkpointed);
  if (plan.blockwise > 0) line("total with --blockwise", plan.blockwise);
}

}  // namespace

ProcessGroupOptions process_group_from(const Environment& environment) {
  const Variables variables(environment);
  ProcessGroupOptions group;
  for (const Launcher& launcher : {kByHand, kSlurm, kOpenMpi}) {
    if (!variables.has(launcher.size)) continue;
    group.size = variables.number(launcher.size, 1);
    group.rank = variables.number(launcher.rank, 0);
    group.local_rank = variables.number(launcher.local, 0);
    const bool slurm = launcher.size == kSlurm.size;
    if (slurm && group.size > 1) group.address = first_host(variables.text("SLURM_STEP_NODELIST"));
    break;
  }
  if (variables.has(kByHand.size) && !variables.has(kByHand.rank)) {
    group.rank = variables.number("JOB_COMPLETION_INDEX", 0);
  }
  group.port = variables.number("MASTER_PORT", group.port);
  if (variables.has("MASTER_ADDR")) group.address = variables.text("MASTER_ADDR");
  group.hosted = variables.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  group.attempt = variables.number("TORCHELASTIC_RESTART_COUNT", 0);
  return group;
}

ProcessGroupOptions join_environment(Context& context) {
  const ProcessGroupOptions group =
      process_group_from([](const char* name) { return std::getenv(name); });
  if (group.size > 1 && context.device == "cuda") {
    context.device = fmt::format("cuda:{}", group.local_rank);
  }
  return group;
}

void print_training(const FinetuneResult& result, bool plan, bool json) {
  if (json) {
    nlohmann::json memory = {{"whole", result.memory.whole},
                             {"checkpointed", result.memory.checkpointed}};
    if (result.memory.blockwise > 0) memory["blockwise"] = result.memory.blockwise;
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
