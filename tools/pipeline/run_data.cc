#include "tools/pipeline/run_data.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "datasets/identity.h"

namespace octet {
namespace {

const std::string& or_else(const std::string& named, const std::string& otherwise) {
  return named.empty() ? otherwise : named;
}

}  // namespace

RunData run_data(const RunOptions& options, TaskKind task) {
  RunData data{or_else(options.calibrate.data, options.data), "", "",
               or_else(options.eval.data, options.data)};
  require_option(data.calib, "calib-data", "data for calibration");
  require_option(data.eval, "eval-data", "data for evaluation");
  if (parse_data_parts(data.eval).front().kind == DataKind::kChoice) {
    throw UsageError("--eval-data " + data.eval, "text:FILE or jsonl:FILE, for perplexity",
                     "take the accuracy of each model with octet eval --data choice:FILE");
  }
  if (options.finetune.trainer.steps == 0) return data;
  data.train = or_else(options.finetune.data, data.calib);
  const bool splits = task != TaskKind::kLanguage;
  data.valid = or_else(options.finetune.eval_data, splits ? data.train : "");
  require_option(data.valid, "valid-data", "a held-out text for choosing the best step");
  return data;
}

nlohmann::json run_data_identity(const RunData& data) {
  nlohmann::json key;
  key["calib_identity"] = data_identity(data.calib, Split::kTrain);
  key["eval_identity"] = data_identity(data.eval, Split::kTest);
  if (data.train.empty()) return key;
  key["train_identity"] = data_identity(data.train, Split::kTrain);
  key["valid_identity"] = data_identity(data.valid, Split::kValid);
  return key;
}

}  // namespace octet
