// The stage `octet quantize`: a float model becomes a compressed-tensors directory.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/io/stage_dir.h"
#include "core/options.h"
#include "models/modules_by_name.h"
#include "quant/formats/compressed_tensors/vllm_rules.h"
#include "quant/schemes/plan.h"
#include "quant/stream/stream_writer.h"

namespace octet {

class SourceModel;

struct QuantizeOptions : Options {
  std::string model, out, calib;
  std::string scheme = "w8a8-dynamic", head = "keep";
  std::vector<std::string> layer, ignore;
  std::string range = "mse";
  double percentile = 99.99;
  double outlier_ratio = 5;
  double max_memory = 2;
  void visit(OptionVisitor& v) override;
};

struct QuantizeResult {
  std::string directory;
  std::vector<ModulePlan> plan;
  std::vector<VllmFinding> vllm;               ///< what vLLM's rules say against the plan
  uint64_t bytes_before = 0, bytes_after = 0;  ///< of the weight files
  std::vector<KeptTensor> kept;  ///< of an architecture known by name alone: other tensors
  int64_t resumed = 0;           ///< tensors that an interrupted run had finished
  bool reused = false;           ///< the directory stood already, made from the same inputs
};

/// The rules that the options --scheme, --head, --layer, --ignore and --range make for a model of
/// `architecture`. UsageError when one of them is not understood or nothing would be quantized.
PlanRules plan_rules(const QuantizeOptions& options, const std::string& architecture);

/// Of a resume key: octet's version, the model with its weight files, and the calibration unless
/// empty.
nlohmann::json input_identity(const SourceModel& model, const std::string& calib);

/// Fills and commits a stage: weight files, what stands beside them in `model`, config.json, and
/// what `octet verify` checks; `left_out` names one file of the folder that is no part of that.
StreamResult write_checkpoint(StageDir& stage, const SourceModel& model, TensorSource& source,
                              const std::vector<StreamItem>& items, const std::string& config,
                              const StreamOptions& limits, const std::string& left_out,
                              Context& context);

/// Quantizes `model`, which options.model names: writes OUT.partial/ and renames it, in bounded
/// memory (docs/streaming.md). Errors leave nothing under OUT; the same call again goes on where it
/// was. Architectures that octet cannot execute are quantized by the names of their tensors, with
/// schemes that need no calibration.
QuantizeResult quantize(const SourceModel& model, const QuantizeOptions& options, Context& context);

}  // namespace octet
