// What the stages of a run left in JSON, read back.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "finetune/training.h"
#include "report/report.h"

namespace octet {

/// Sizes, memory and speeds of a variant from bench's to_json(BenchResult).
void fill_speed(const nlohmann::json& json, VariantResult& variant);

/// The curve of a fine-tuning from its octet-finetune.json.
TrainResult train_result_from(const nlohmann::json& json);

}  // namespace octet
