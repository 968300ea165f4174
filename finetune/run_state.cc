#include "finetune/run_state.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "core/error.h"
#include "core/json.h"

namespace octet {
namespace {

constexpr int kVersion = 1;
constexpr const char* kKey = "octet-train-state";

// Every tensor of the state under its name, leaves and moments being those in use.
std::map<std::string, at::Tensor> tensors_of(const RunState& state, const AdamW& optimizer) {
  std::map<std::string, at::Tensor> tensors;
  for (size_t i = 0; i < optimizer.parameters().size(); ++i) {
    const Parameter& p = optimizer.parameters()[i];
    tensors["leaf." + p.name] = p.leaf.detach();
    tensors["first." + p.name] = optimizer.first()[i];
    tensors["second." + p.name] = optimizer.second()[i];
    tensors["best." + p.name] = state.best[i];
    if (!state.mean.empty()) tensors["mean." + p.name] = state.mean[i];
  }
  return tensors;
}

nlohmann::json points_json(const std::vector<CurvePoint>& points) {
  nlohmann::json json = nlohmann::json::array();
  for (const CurvePoint& p : points) {
    json.push_back({p.step, p.loss, p.nll, p.kl, p.rate, p.gradient_norm});
  }
  return json;
}

std::vector<CurvePoint> points_of(const nlohmann::json& json) {
  std::vector<CurvePoint> points;
  for (const auto& p : json)
    points.push_back({p.at(0), p.at(1), p.at(2), p.at(3), p.at(4), p.at(5)});
  return points;
}

void read_numbers(const nlohmann::json& json, RunState& state) {
  state.step = json.at("step");
  state.worse = json.at("worse");
  state.result.train = points_of(json.at("train"));
  state.result.eval = points_of(json.at("eval"));
  state.result.best = json.at("best");
  state.result.stopped_early = json.at("stopped_early");
  if (state.result.best >= state.result.eval.size()) throw std::out_of_range("best");
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw Error(fmt::format("{} in {}", why, file.string()), "the training state of this run",
              "remove the folder to start over");
}

}  // namespace

void save_state(const std::filesystem::path& file, const RunState& state, const AdamW& optimizer) {
  const auto tensors = tensors_of(state, optimizer);
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) {
    infos.push_back({name, Dtype::kF32, tensor.sizes().vec()});
  }
  const nlohmann::json numbers = {{"version", kVersion},
                                  {"step", state.step},
                                  {"worse", state.worse},
                                  {"train", points_json(state.result.train)},
                                  {"eval", points_json(state.result.eval)},
                                  {"best", state.result.best},
                                  {"stopped_early", state.result.stopped_early}};
  std::filesystem::create_directories(file.parent_path());
  SafetensorsWriter writer(file, infos, {{kKey, numbers.dump()}});
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor host = tensor.to(at::kCPU).contiguous();
    writer.write(name, {static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()});
  }
  writer.commit();
}

bool load_state(const std::filesystem::path& file, RunState& state, AdamW& optimizer) {
  if (!std::filesystem::exists(file)) return false;
  const at::NoGradGuard no_gradients;
  const SafetensorsFile stored(file);
  const auto found = stored.metadata().find(kKey);
  if (found == stored.metadata().end()) refuse(file, "no training state");
  const nlohmann::json numbers = parse_json(found->second, file);
  try {
    if (numbers.at("version") != kVersion) refuse(file, "another version of the training state");
    read_numbers(numbers, state);
  } catch (const std::exception& e) {
    refuse(file, fmt::format("invalid numbers (\"{}\")", e.what()));
  }
  state.best.clear();
  for (const Parameter& p : optimizer.parameters()) {
    state.best.push_back(at::empty(p.leaf.sizes(), at::kFloat));
  }
  for (const auto& [name, tensor] : tensors_of(state, optimizer)) {
    const auto entry = stored.entries().find(name);
    if (entry == stored.entries().end() || entry->second.info.dtype != Dtype::kF32 ||
        entry->second.info.shape != tensor.sizes().vec()) {
      refuse(file, fmt::format("{} missing or of another shape", name));
    }
    const at::Tensor host = at::empty(tensor.sizes(), at::kFloat);
    stored.read(entry->second, {static_cast<std::byte*>(host.data_ptr()), host.nbytes()});
    tensor.copy_(host);
  }
  return true;
}

}  // namespace octet
