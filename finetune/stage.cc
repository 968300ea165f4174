#include "finetune/stage.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/data.h"
#include "quant/export/stream_writer.h"

namespace octet {

TrainStage::TrainStage(const std::string& out, const nlohmann::json& key, World& world)
    : out_(out) {
  require_option(out, "out", "a directory to write");
  if (world.rank() == 0) stage_.emplace(out, key);
  const at::Tensor done = at::full({1}, stage_ && stage_->complete() ? 1 : 0, at::kLong);
  world.sum({done});
  complete_ = done.item<int64_t>() > 0;
  folder_ = std::filesystem::path(out + "/").parent_path();
  folder_ += ".partial";
}

std::string TrainStage::finished_verdict(const std::string& curve) const {
  if (stage_) remove_leftovers();
  return read_json((std::filesystem::path(out_) / curve).string())["verdict"];
}

void TrainStage::remove_leftovers() const {
  for (const char* name : {kTrainState, kStreamJournal}) {
    std::filesystem::remove(std::filesystem::path(out_) / name);
  }
}

void write_curve(const std::filesystem::path& file, const FinetuneResult& result,
                 const Options& options) {
  nlohmann::json curve = to_json(result.training);
  curve["options"] = to_json(options);
  curve["verdict"] = result.verdict;
  write_file(file, curve.dump(1) + "\n");
}

LanguageTask open_language_task(const TextOptions& options) {
  require_option(options.data, "data", "a text to train on");
  require_option(options.eval_data, "eval-data", "a text to judge by, not trained on");
  const auto windows = [&](const std::string& data) {
    return cut_windows(options.model, open_text(options.model, data), options.length);
  };
  return {windows(options.data), windows(options.eval_data), options.batch, options.eval_windows,
          options.seed};
}

}  // namespace octet
