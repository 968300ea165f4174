#include "finetune/stage.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "finetune/self_text.h"
#include "finetune/trainer.h"
#include "models/data/open_samples.h"
#include "models/source_model.h"
#include "quant/stream/stream_writer.h"

namespace octet {

TrainStage::TrainStage(const std::string& out, const nlohmann::json& key,
                       ProcessGroup& process_group)
    : out_(out) {
  require_option(out, "out", "a directory to write");
  if (process_group.rank() == 0) stage_.emplace(out, key);
  const at::Tensor done = at::full({1}, stage_ && stage_->complete() ? 1 : 0, at::kLong);
  process_group.sum({done});
  complete_ = done.item<int64_t>() > 0;
  folder_ = std::filesystem::path(out + "/").parent_path();
  folder_ += ".partial";
}

std::string TrainStage::finished_verdict(const std::string& curve) const {
  if (stage_) remove_leftovers();
  return read_json((std::filesystem::path(out_) / curve).string())["verdict"];
}

void TrainStage::remove_leftovers() const {
  for (const char* name : {kTrainFolder, kStreamJournal}) {
    std::filesystem::remove_all(std::filesystem::path(out_) / name);
  }
}

void write_curve(const std::filesystem::path& file, const FinetuneResult& result,
                 const Options& options) {
  nlohmann::json curve = to_json(result.training);
  curve["options"] = to_json(options);
  curve["verdict"] = result.verdict;
  for (const BlockResult& b : result.blocks) {
    curve["blocks"].push_back({{"block", b.block}, {"before", b.before}, {"after", b.after}});
  }
  write_file(file, curve.dump(1) + "\n");
}

Wording wording(TaskKind kind) {
  if (kind == TaskKind::kTranslation) return {"sentences", "a token"};
  if (kind == TaskKind::kVision) return {"images", "an image"};
  return {"text", "a token"};
}

nlohmann::json samples_identity(const TaskSamples& samples) {
  nlohmann::json key;
  if (samples.train) key["data_sha256"] = samples.train->hash();
  if (samples.eval) key["eval_data_sha256"] = samples.eval->hash();
  return key;
}

TaskSamples open_task_samples(const SourceModel& model, const TrainingData& data) {
  require_option(data.data, "data", "data to train on");
  require_option(data.eval_data, "eval-data", "held-out data for evaluation");
  const TaskKind kind = task_kind(model.config());
  if (parse_augmentation(data.augment).any() && kind != TaskKind::kVision) {
    throw UsageError(fmt::format("--augment {}", data.augment), "a model that reads images",
                     "leave it out");
  }
  const bool language = kind == TaskKind::kLanguage;
  for (const std::string& given : {data.data, data.eval_data}) {
    if (language || !self_windows(given)) continue;
    throw UsageError(fmt::format("data {}", given), "self:N with a language model",
                     "this model needs sentence pairs or images: pass a data set");
  }
  TaskSamples samples;
  if (!self_windows(data.data)) {
    samples.train = open_samples(model, data.data, Split::kTrain, data.length);
  }
  if (!self_windows(data.eval_data)) {
    samples.eval = open_samples(model, data.eval_data, Split::kValid, data.length);
  }
  return samples;
}

SampledTask make_task(TaskSamples samples, const TrainingData& data, uint64_t seed) {
  return {std::move(samples.train), std::move(samples.eval), data.limits(seed), data.eval_samples,
          parse_augmentation(data.augment)};
}

}  // namespace octet
