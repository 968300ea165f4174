// What the two training stages share: a folder that rank 0 fills and every rank knows of.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/files.h"
#include "finetune/finetune.h"
#include "finetune/language_task.h"

namespace octet {

/// A StageDir of rank 0, and whether it stood whole already, which all ranks learn.
class TrainStage {
 public:
  TrainStage(const std::string& out, const nlohmann::json& key, World& world);
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

/// DATA and EVAL as windows of `model`'s tokens.
struct TextOptions {
  std::string model, data, eval_data;
  int64_t length, batch, eval_windows;
  uint64_t seed;
};
LanguageTask open_language_task(const TextOptions& options);

}  // namespace octet
