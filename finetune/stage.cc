#include "finetune/stage.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
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

Wording wording(TaskKind kind) {
  if (kind == TaskKind::kTranslation) return {"sentences", "a token"};
  if (kind == TaskKind::kVision) return {"images", "an image"};
  return {"text", "a token"};
}

nlohmann::json data_identity(const SampledTask& task) {
  return {{"data_sha256", task.train_samples().hash()},
          {"eval_data_sha256", task.eval_samples().hash()}};
}

SampledTask open_task(const std::string& model, const TrainingData& data, uint64_t seed) {
  require_option(data.data, "data", "data to train on");
  require_option(data.eval_data, "eval-data", "data to judge by, not trained on");
  return {open_samples(model, data.data, Split::kTrain, data.length),
          open_samples(model, data.eval_data, Split::kValid, data.length), data.limits(seed),
          data.eval_samples};
}

}  // namespace octet
