#include "models/config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/architectures/registry.h"
#include "models/config_fields.h"

namespace octet {
namespace {

using nlohmann::json;

// The architecture's name; by model_type where "architectures" is left out, of language models
// alone: the model_type of others stands for models with other heads as well.
std::string architecture_name(const json& config) {
  const json list = config.value("architectures", json());
  if (list.is_array() && list.size() == 1 && list[0].is_string()) return list[0];
  if (!list.is_null()) return list.dump();
  for (const Architecture& row : architectures()) {
    const bool named = config.value("model_type", json()) == row.model_type;
    if (named && row.task == TaskKind::kLanguage) return std::string(row.name);
  }
  return "";
}

}  // namespace

bool executable(const json& config) {
  return config.is_object() && find_architecture(architecture_name(config)) != nullptr;
}

ModelConfig parse_config(const json& config, const std::string& what) {
  const ConfigFields fields(config, what);
  const std::string name = architecture_name(config);
  const Architecture* row = find_architecture(name);
  if (row == nullptr) {
    const std::string type = fields.text("model_type");
    fields.fail(fmt::format("architecture \"{}\" (model_type \"{}\")", name, type),
                architecture_names());
  }
  return row->parse(fields, *row);
}

}  // namespace octet
