// The stages of a run. Each writes its result into the stage folder and is skipped if the result
// already exists.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/io/stage_dir.h"
#include "finetune/finetune.h"
#include "models/architectures/registry.h"
#include "quant/quantize.h"
#include "tools/pipeline/run_data.h"

namespace octet {

/// One quantized model of a run.
struct Variant {
  std::string name;        ///< its scheme, or "SCHEME+qat" when fine-tuned
  std::string scheme;      ///< of its blocks
  std::string tuned_from;  ///< fine-tuned: the variant it started from
  std::string directory;
};

class Stages {
 public:
  /// UsageError for schemes that are none.
  Stages(const SourceModel& model, const RunOptions& options, TaskKind task, const RunData& data,
         Context& context, StageDir& stage);
  void run();

  const std::vector<Variant>& variants() const { return variants_; }
  /// What the stage `name` ("eval", "layers", "bench") left.
  nlohmann::json result(const std::string& name) const;
  std::string calibration() const { return stage_.path() / "calib.h5"; }
  /// What `octet quantize` is given for a scheme.
  QuantizeOptions quantize_options(const std::string& scheme) const;
  bool calibrated() const;

 private:
  void calibrate_stage();
  void quantize_stage(const std::string& scheme);
  void finetune_stage(const std::string& scheme);
  FinetuneOptions finetune_options(const std::string& scheme) const;
  nlohmann::json eval_stage();
  nlohmann::json layers_stage();
  nlohmann::json bench_stage();
  template <class Work>
  void json_stage(const std::string& name, Work&& work);
  std::string directory(const std::string& variant) const;

  const SourceModel& model_;
  const RunOptions& options_;
  TaskKind task_;
  const RunData& data_;
  Context& context_;
  StageDir& stage_;
  std::vector<std::string> schemes_, tuned_;
  std::vector<Variant> variants_;
};

}  // namespace octet
