// How eval, bench, finetune and the commands open any model: float or quantized, directory or GGUF.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/config.h"
#include "models/run/model.h"
#include "quant/linears/linears.h"

namespace octet {

class SourceModel;

struct LoadOptions {
  at::ScalarType compute =
      at::kFloat;  ///< of float models; quantized ones compute in float32 on the CPU
  std::string device = "cpu";
  std::string gemm_file;  ///< of cuda::GemmAutotuner: where the choices of tile configs are kept
  bool load = true;       ///< false: nothing is read yet, blocks are loaded by the caller
};

struct LoadedModel {
  ModelConfig config;
  /// "float32", "bfloat16", ...; of a quantized directory the scheme of its blocks ("w8a8-static",
  /// "w4a16-g64", "mixed"), with "+head-w8a16" where the head is quantized, too.
  std::string scheme;
  std::unique_ptr<Model> model;
  std::unique_ptr<Executor> executor;
  std::shared_ptr<RunCounters> counters;  ///< zero for float models
};

/// Error as config, container and source give it; a CUDA device without a usable GPU is an Error,
/// too.
LoadedModel load_model(const SourceModel& model, const LoadOptions& options = {});
/// Of a model that nothing else is read of.
LoadedModel load_model(const std::filesystem::path& path, const LoadOptions& options = {});

}  // namespace octet
