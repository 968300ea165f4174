#include "tools/inspect_by_name.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/containers/safetensors.h"
#include "models/modules_by_name.h"
#include "models/source_model.h"
#include "report/table.h"

namespace octet {
namespace {

using nlohmann::json;

json modules_json(const ModulesByName& found, const Checkpoint& checkpoint) {
  std::map<std::tuple<std::string, int64_t, int64_t, std::string>, int64_t> counts;
  for (const Site& site : found.topology.sites) {
    for (const Matrix& matrix : site.matrices) {
      const std::string weight = matrix.name + ".weight";
      std::string dtype(name(checkpoint.info(weight).dtype));
      if (found.block_scales.contains(weight)) dtype += " in blocks";
      ++counts[{name_pattern(matrix.name), matrix.n, matrix.k, dtype}];
    }
  }
  json rows = json::array();
  for (const auto& [key, count] : counts) {
    const auto& [pattern, n, k, dtype] = key;
    rows.push_back({{"modules", pattern}, {"count", count}, {"shape", {n, k}}, {"dtype", dtype}});
  }
  return rows;
}

json kept_json(const ModulesByName& found) {
  std::map<std::pair<std::string, std::string>, int64_t> counts;
  for (const KeptTensor& tensor : found.kept) ++counts[{tensor.reason, name_pattern(tensor.name)}];
  json rows = json::array();
  for (const auto& [key, count] : counts) {
    rows.push_back({{"tensors", key.second}, {"count", count}, {"reason", key.first}});
  }
  return rows;
}

json report(const SourceModel& model) {
  const Checkpoint& checkpoint = *model.checkpoint();
  const ModulesByName found = modules_by_name(checkpoint);
  const json& config = model.config_json();
  int64_t layers = 0, weights = 0;
  for (const Site& site : found.topology.sites) {
    for (const Matrix& matrix : site.matrices) ++layers, weights += matrix.n * matrix.k;
  }
  return {{"model", model.path().string()},
          {"architectures", config.value("architectures", json())},
          {"model_type", config.value("model_type", json())},
          {"executable", false},
          {"bytes_now", model.weight_file_bytes()},
          {"linear_layers_to_quantize", layers},
          {"weights_in_them", weights},
          {"modules", modules_json(found, checkpoint)},
          {"kept", kept_json(found)}};
}

void print(const json& r) {
  fmt::print(
      "{}\n{}, model_type {}: octet does not execute it; linear layers are identified by name\n\n",
      r["model"].get<std::string>(), r["architectures"].dump(), r["model_type"].dump());
  TextTable modules(std::vector<TextTable::Column>{{"linear layers", Align::kLeft},
                                                   {"count", Align::kRight},
                                                   {"shape", Align::kRight},
                                                   {"dtype", Align::kLeft}});
  for (const json& row : r["modules"]) {
    modules.add({row["modules"].get<std::string>(), row["count"].dump(), row["shape"].dump(),
                 row["dtype"].get<std::string>()});
  }
  TextTable kept(std::vector<TextTable::Column>{
      {"kept", Align::kLeft}, {"count", Align::kRight}, {"reason", Align::kLeft}});
  for (const json& row : r["kept"]) {
    kept.add(
        {row["tensors"].get<std::string>(), row["count"].dump(), row["reason"].get<std::string>()});
  }
  fmt::print(
      "{}\n{}\n{} linear layers with {:.1f} M weights would be quantized, {:.1f} MB on disk now\n",
      modules.text(), kept.text(), r["linear_layers_to_quantize"].get<int64_t>(),
      r["weights_in_them"].get<double>() / 1e6, r["bytes_now"].get<double>() / 1e6);
}

}  // namespace

bool is_named_only(const SourceModel& model) {
  return !model.is_gguf() && !executable(model.config_json());
}

void inspect_by_name(const SourceModel& model, bool as_json) {
  const json result = report(model);
  if (as_json) {
    fmt::print("{}\n", result.dump());
  } else {
    print(result);
  }
}

}  // namespace octet
