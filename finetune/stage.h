// Shared by the two training stages: a folder that rank 0 fills and whose state all ranks know.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/io/stage_dir.h"
#include "finetune/finetune.h"
#include "finetune/sampled_task.h"
#include "models/architectures/registry.h"
#include "models/run/process_group.h"

namespace octet {

/// A StageDir of rank 0, and whether it stood whole already, which all ranks learn.
class TrainStage {
 public:
  TrainStage(const std::string& out, const nlohmann::json& key, ProcessGroup& process_group);
  bool complete() const { return complete_; }
  /// Null on the other ranks.
  StageDir* directory() { return stage_ ? &*stage_ : nullptr; }
  std::filesystem::path folder() const { return folder_; }
  /// Of a finished stage: the verdict that `curve` holds. Removes what a kill behind commit() left.
  std::string finished_verdict(const std::string& curve) const;
  void remove_leftovers() const;

 private:
  std::string out_;
  std::filesystem::path folder_;
  std::optional<StageDir> stage_;
  bool complete_ = false;
};

/// The curve file: result, options and verdict.
void write_curve(const std::filesystem::path& file, const FinetuneResult& result,
                 const Options& options);

/// What a verdict calls the evaluation data, and what it counts in them.
struct Wording {
  const char *unseen, *unit;
};
Wording wording(TaskKind kind);

/// What a task is made of. Null where DATA is self:N: that needs the model.
struct TaskSamples {
  std::unique_ptr<Samples> train, eval;
};
/// --data and --eval-data of a stage as `model` reads them.
TaskSamples open_task_samples(const SourceModel& model, const TrainingData& data);
SampledTask make_task(TaskSamples samples, const TrainingData& data, uint64_t seed);

/// Of a resume key: hashes of what is trained on and judged by.
nlohmann::json samples_identity(const TaskSamples& samples);

}  // namespace octet
